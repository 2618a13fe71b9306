// How much of something is in use: in words, and as a bar where there is a limit.
import { Flex, Progress, Typography } from 'antd';
import { useText } from './language.tsx';
import { shareOf, toneOfShare } from './share.ts';
import { toneColour } from './state.tsx';
import { kitText } from './text.ts';

/** '3 GiB', '10 GiB' -> '3 / 10 GiB' */
function besides(used: string, limit: string): string {
  const unit = / \S+$/.exec(limit)?.[0] ?? '';
  return `${unit !== '' && used.endsWith(unit) ? used.slice(0, -unit.length) : used} / ${limit}`;
}

type Props = {
  label: string;
  used: number;
  /** Below 0: there is none. */
  limit: number;
  format(value: number): string;
  /** The bar alone, for a table whose column says what it is. */
  compact?: boolean;
};

export function Meter({ label, used, limit, format, compact = false }: Props) {
  const t = useText(kitText);
  const share = shareOf(used, limit);
  const said = limit < 0 ? `${format(used)} · ${t.unlimited}` : besides(format(used), format(limit));
  return (
    <div className="meter">
      <Flex justify="space-between" gap={8} wrap={!compact}>
        {compact ? null : <Typography.Text>{label}</Typography.Text>}
        <Typography.Text type="secondary" className="meter-figure">
          {said}
        </Typography.Text>
      </Flex>
      <Progress
        percent={Math.min(100, Math.round(share * 100))}
        showInfo={false}
        size="small"
        strokeColor={toneColour[toneOfShare(share)]}
        aria-label={`${label}: ${said}`}
      />
    </div>
  );
}
