// Light, dark, or as the system: and what the design library needs to follow.
import { App, ConfigProvider, theme } from 'antd';
import type { Locale } from 'antd/es/locale';
import enUS from 'antd/es/locale/en_US';
import zhCN from 'antd/es/locale/zh_CN';
import {
  createContext,
  use,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
  type ReactNode,
} from 'react';
import { useLanguage, type Language } from '../kit/language.tsx';
import { nonce } from './style-nonce.ts';

export type Appearance = 'light' | 'dark' | 'system';

const KEPT_AS = 'strata-appearance';
const darkSystem = matchMedia('(prefers-color-scheme: dark)');
const locales: Readonly<Record<Language, Locale>> = { en: enUS, zh: zhCN };

const kept = (): Appearance => {
  const value = localStorage.getItem(KEPT_AS);
  return value === 'light' || value === 'dark' ? value : 'system';
};

const subscribe = (listener: () => void): (() => void) => {
  darkSystem.addEventListener('change', listener);
  return () => darkSystem.removeEventListener('change', listener);
};

const AppearanceContext = createContext<{
  appearance: Appearance;
  dark: boolean;
  setAppearance(to: Appearance): void;
}>({ appearance: 'system', dark: false, setAppearance() {} });

export const useAppearance = () => use(AppearanceContext);

export function Theme({ children }: { children: ReactNode }) {
  const { language } = useLanguage();
  const [appearance, setAppearance] = useState(kept);
  const system = useSyncExternalStore(subscribe, () => darkSystem.matches);
  const dark = appearance === 'dark' || (appearance === 'system' && system);
  useEffect(() => {
    document.documentElement.dataset['appearance'] = dark ? 'dark' : 'light';
    localStorage.setItem(KEPT_AS, appearance);
  }, [appearance, dark]);
  const value = useMemo(() => ({ appearance, dark, setAppearance }), [appearance, dark]);
  return (
    <AppearanceContext value={value}>
      <ConfigProvider
        locale={locales[language]}
        csp={{ nonce }}
        button={{ autoInsertSpace: false }}
        theme={{
          ...(dark ? { components: { Menu: { itemSelectedColor: '#8ab8ff' } } } : {}),
          algorithm: dark ? theme.darkAlgorithm : theme.defaultAlgorithm,
          token: {
            colorPrimary: '#1456c8',
            borderRadius: 6,
            // Secondary text of the default theme is too pale to be read by everybody (WCAG AA, 4.5:1).
            ...(dark
              ? {
                  colorPrimary: '#3f86f0',
                  colorLink: '#69a7ff',
                  colorTextTertiary: '#999',
                  colorTextDescription: '#999',
                  colorTextPlaceholder: '#8c8c8c',
                  colorError: '#ff7073',
                }
              : {
                  colorLink: '#1456c8',
                  colorError: '#cf1322',
                  colorTextSecondary: '#595959',
                  colorTextTertiary: '#666',
                  colorTextDescription: '#595959',
                  colorTextPlaceholder: '#6b6b6b',
                }),
            fontFamily:
              "system-ui, -apple-system, 'Segoe UI', Roboto, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif",
          },
        }}
      >
        <App>{children}</App>
      </ConfigProvider>
    </AppearanceContext>
  );
}
