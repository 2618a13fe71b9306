// Language and appearance, before and after signing in.
import { BulbOutlined, TranslationOutlined } from '@ant-design/icons';
import { Button, Dropdown } from 'antd';
import { useLanguage, useText, type Language } from '../kit/language.tsx';
import { appText } from './text.ts';
import { useAppearance, type Appearance } from './theme.tsx';

/** Each in its own language, so that who does not read the other finds it. */
const LANGUAGES: readonly { key: Language; label: string }[] = [
  { key: 'en', label: 'English' },
  { key: 'zh', label: '简体中文' },
];

export function Preferences() {
  const t = useText(appText);
  const { language, setLanguage } = useLanguage();
  const { appearance, setAppearance } = useAppearance();
  const looks: { key: Appearance; label: string }[] = [
    { key: 'light', label: t.light },
    { key: 'dark', label: t.dark },
    { key: 'system', label: t.system },
  ];
  return (
    <>
      <Dropdown
        trigger={['click']}
        menu={{
          selectable: true,
          selectedKeys: [language],
          items: [...LANGUAGES],
          onClick: ({ key }) => setLanguage(key as Language),
        }}
      >
        <Button type="text" icon={<TranslationOutlined />} aria-label={t.language} title={t.language} />
      </Dropdown>
      <Dropdown
        trigger={['click']}
        menu={{
          selectable: true,
          selectedKeys: [appearance],
          items: looks,
          onClick: ({ key }) => setAppearance(key as Appearance),
        }}
      >
        <Button type="text" icon={<BulbOutlined />} aria-label={t.theme} title={t.theme} />
      </Dropdown>
    </>
  );
}
