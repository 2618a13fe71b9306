// Signatures against the examples of Amazon's documentation, and how long each is good.
import { createHash, createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { isEc2Signature, isS3Signature } from './signature.ts';

// "Signature Version 4 signing process", the GET request to IAM.
const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const emptyHash = createHash('sha256').update('').digest('hex');
const iam = {
  access: 'AKIDEXAMPLE',
  signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  verb: 'GET',
  host: 'iam.amazonaws.com',
  path: '/',
  params: { Action: 'ListUsers', Version: '2010-05-08' },
  headers: {
    Authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
    Host: 'iam.amazonaws.com',
    'X-Amz-Date': '20150830T123600Z',
  },
  body_hash: emptyHash,
};
const then = Date.UTC(2015, 7, 30, 12, 36, 0);
const MINUTE = 60_000;

it('takes version 4 of a request, for a quarter of an hour', () => {
  expect(isEc2Signature(iam, secret, then)).toBe(true);
  expect(isEc2Signature(iam, secret, then + 14 * MINUTE)).toBe(true);
  expect(isEc2Signature(iam, secret, then + 16 * MINUTE)).toBe(false);
  expect(isEc2Signature(iam, secret, then - 16 * MINUTE)).toBe(false);
});

it('takes nothing that differs from what was signed', () => {
  expect(isEc2Signature(iam, `${secret}x`, then)).toBe(false);
  for (const other of [
    { ...iam, path: '/other' },
    { ...iam, verb: 'DELETE' },
    { ...iam, params: { ...iam.params, Action: 'DeleteUser' } },
    { ...iam, body_hash: 'x' },
    { ...iam, access: 'AKIDOTHER' },
    { ...iam, headers: { ...iam.headers, Host: 'elsewhere' } },
    { ...iam, headers: { ...iam.headers, 'X-Amz-Date': '20150830T123700Z' } },
    { ...iam, headers: {} },
    { ...iam, signature: '' },
  ])
    expect(isEc2Signature(other, secret, then), JSON.stringify(other).slice(0, 80)).toBe(false);
});

it('takes version 2 of a request, by its timestamp', () => {
  // "Signature Version 2", the request to Elastic MapReduce.
  const params = {
    AWSAccessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    Action: 'DescribeJobFlows',
    SignatureMethod: 'HmacSHA256',
    SignatureVersion: '2',
    Timestamp: '2011-10-03T15:19:30',
    Version: '2009-03-31',
  };
  const emr = {
    access: 'AKIAIOSFODNN7EXAMPLE',
    signature: 'i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=',
    verb: 'GET',
    host: 'elasticmapreduce.amazonaws.com',
    path: '/',
    params,
  };
  const made = Date.parse('2011-10-03T15:19:30');
  expect(isEc2Signature(emr, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', made)).toBe(true);
  expect(isEc2Signature(emr, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', made + 16 * MINUTE)).toBe(false);
  expect(isEc2Signature({ ...emr, params: { ...params, SignatureVersion: '0' } }, secret, made)).toBe(false);
});

it('takes both versions of S3, until the signature itself says no longer', () => {
  const v2 = (when: string): [string, string] => {
    const text = `GET\n\n\n${when}\n/bucket/key`;
    return [text, createHmac('sha1', secret).update(text).digest('base64')];
  };
  const now = Date.UTC(2026, 0, 2, 3, 4, 5);
  const [presigned, mac] = v2(String(now / 1000 + 60));
  expect(isS3Signature(presigned, mac, secret, now)).toBe(true);
  expect(isS3Signature(presigned, mac, secret, now + 61_000)).toBe(false);
  expect(isS3Signature(presigned, mac, 'other', now)).toBe(false);
  const [plain, plainMac] = v2('Fri, 02 Jan 2026 03:00:00 GMT');
  expect(isS3Signature(plain, plainMac, secret, now)).toBe(true);
  expect(isS3Signature(plain, plainMac, secret, now + 20 * MINUTE)).toBe(false);
  const [none, noneMac] = v2('');
  expect(isS3Signature(none, noneMac, secret, now), 'no time at all').toBe(false);

  // "Authenticating Requests: Using Query Parameters", the presigned GET.
  const text = `AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04`;
  const v4 = 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
  const key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
  const made = Date.UTC(2013, 4, 24);
  expect(isS3Signature(text, v4, key, made)).toBe(true);
  expect(isS3Signature(text, v4, key, made + 8 * 86_400_000)).toBe(false);
  expect(isS3Signature(text, v4, key, made - 16 * MINUTE)).toBe(false);
  expect(isS3Signature(text.replace('us-east-1', 'eu'), v4, key, made)).toBe(false);
});
