// Where everybody begins.
import { useText } from '../kit/language.tsx';
import { PageFrame } from '../kit/page.tsx';
import { appText } from '../app/text.ts';

export function OverviewPage() {
  return <PageFrame title={useText(appText).pages.overview}>{null}</PageFrame>;
}
