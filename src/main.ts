// The program: reads the command line and runs one of its roles.
import { Command, InvalidArgumentError, Option } from 'commander';
import { VERSION } from './kernel/version.ts';

const DEFAULT_DATA_DIR = '/var/lib/strata';

function listenAddress(value: string): { host: string; port: number } {
  const match = /^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535)
    throw new InvalidArgumentError('it must be ADDRESS:PORT, e.g. 127.0.0.1:8770.');
  return { host: match[1], port };
}

function nonEmpty(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('it must not be empty.');
  return value;
}

const program = new Command('strata')
  .description('A combined cloud: virtual machines, containers and Kubernetes behind the OpenStack API')
  .version(VERSION)
  .showHelpAfterError('(strata --help and strata COMMAND --help say more)');

program
  .command('up')
  .description('Start the cloud of a data dir in the foreground; adopts the guests that already run')
  .option('--data-dir <dir>', 'where everything of this cloud lives', nonEmpty, DEFAULT_DATA_DIR)
  .option(
    '--listen <address:port>',
    'where the API listens (default: a loopback port, kept for the data dir)',
    listenAddress,
  )
  .option(
    '--tls-cert <file>',
    'certificate chain (PEM); required with --tls-key for other than loopback addresses',
  )
  .option('--tls-key <file>', 'private key (PEM)')
  .option('--tls-self-signed', 'make a self-signed pair in the data dir and use it')
  .option(
    '--images-from <url>',
    'where users may have images downloaded from: https://host, https://*.domain, https://*; may be repeated (default: nowhere)',
    (one: string, others: string[]) => [...others, one],
    [] as string[],
  )
  .option('--demo', 'also create a network, a VM and a container that ping each other')
  .option('--no-install', 'never install anything, say what is missing (read by ./up)')
  .addOption(
    new Option('--log-level <level>', 'what goes to standard error')
      .choices(['debug', 'info', 'warn', 'error', 'silent'])
      .default('warn'),
  )
  .action(async (options) => {
    const { up } = await import('./cli/up.ts');
    // At once: all is on disk, and a connection or a timer that somebody still holds must not keep a user waiting.
    process.exit(await up(options));
  });

program
  .command('rotate-keys')
  .description('Make a new token signing key; the old ones verify until their tokens have expired')
  .option('--data-dir <dir>', 'the data dir of the cloud, which may be running', nonEmpty, DEFAULT_DATA_DIR)
  .action(async (options) => {
    const { rotateKeys } = await import('./cli/rotate-keys.ts');
    try {
      await rotateKeys(options.dataDir);
    } catch (error) {
      process.stderr.write(`strata: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  });

program
  .command('teardown')
  .description('Stop and remove everything of a data dir: guests, networks, devices, files')
  .option('--data-dir <dir>', 'the data dir to remove', nonEmpty, DEFAULT_DATA_DIR)
  .action(async (options) => {
    const { teardown } = await import('./cli/teardown.ts');
    try {
      process.exitCode = await teardown(options);
    } catch (error) {
      process.stderr.write(`strata: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  });

await program.parseAsync();
