// The two languages of the console. A folder keeps both beside what they name; the type of one decides what the other
// must have, so that a missing text does not build.
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from 'react';

export type Language = 'en' | 'zh';

type Texts = { readonly [key: string]: string | ((...values: never[]) => string) | Texts };

/** The same keys with any wording. */
type Wording<T> = {
  readonly [K in keyof T]: T[K] extends string
    ? string
    : T[K] extends (...values: infer V) => string
      ? (...values: V) => string
      : Wording<T[K]>;
};

export type Bilingual<T> = { readonly en: Wording<T>; readonly zh: Wording<T> };

/** Both languages of a folder: `texts({ name: 'Name' }, { name: '名称' })`. What changes with values is a function. */
export const texts = <const T extends Texts>(en: T, zh: Wording<T>): Bilingual<T> => ({
  en: en as unknown as Wording<T>,
  zh,
});

const KEPT_AS = 'strata-language';

const preferred = (): Language => {
  const kept = localStorage.getItem(KEPT_AS);
  if (kept === 'en' || kept === 'zh') return kept;
  return navigator.languages.find((one) => /^(en|zh)\b/.test(one))?.startsWith('zh') === true ? 'zh' : 'en';
};

const LanguageContext = createContext<{ language: Language; setLanguage(to: Language): void }>({
  language: 'en',
  setLanguage() {},
});

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(preferred);
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
    localStorage.setItem(KEPT_AS, language);
  }, [language]);
  const value = useMemo(() => ({ language, setLanguage }), [language]);
  return <LanguageContext value={value}>{children}</LanguageContext>;
}

export const useLanguage = () => use(LanguageContext);

/** The texts of a folder in the language that the user reads. */
export const useText = <T,>(both: Bilingual<T>): Wording<T> => both[useLanguage().language];

const localeOf = (language: Language): string => (language === 'zh' ? 'zh-CN' : 'en-GB');

/** How dates, numbers and sizes are written in the user's language. */
export function useFormat() {
  const { language } = useLanguage();
  return useMemo(() => formats(localeOf(language)), [language]);
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export function formats(locale: string) {
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  return {
    number: (value: number): string => decimal.format(value),
    /** OpenStack's times are UTC, some without saying so. */
    time: (iso: string): string => moment.format(parseTime(iso)),
    /** e.g. '3 min ago' */
    ago(iso: string, now = Date.now()): string {
      const seconds = (parseTime(iso).getTime() - now) / 1000;
      const unit = UNITS.find(([, size]) => Math.abs(seconds) >= size);
      return unit === undefined
        ? relative.format(Math.min(0, Math.round(seconds)), 'second')
        : relative.format(Math.round(seconds / unit[1]), unit[0]);
    },
    /** 1536 -> '1.5 KiB' */
    bytes(count: number): string {
      const step = count < 1 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), SIZES.length - 1);
      return `${decimal.format(count / 1024 ** step)} ${SIZES[step]}`;
    },
    mib: (count: number): string =>
      count >= 1024 && count % 512 === 0
        ? `${decimal.format(count / 1024)} GiB`
        : `${decimal.format(count)} MiB`,
  };
}

export const parseTime = (iso: string): Date => new Date(/[zZ]|[+-]\d\d:?\d\d$/.test(iso) ? iso : `${iso}Z`);
