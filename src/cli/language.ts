// The two languages of everything that a learner reads. In: the environment. Out: one of two texts.

export type Language = 'zh' | 'en';
/** A text in both languages. */
export interface Words {
  readonly en: string;
  readonly zh: string;
}

export const say = (words: Words, language: Language): string => words[language];
/** The same text in both: formulas, names. */
export const both = (text: string): Words => ({ en: text, zh: text });

/** What the environment asks for: LC_ALL, LC_MESSAGES or LANG, else the system's own setting; English where unsure. */
export function systemLanguage(env: Readonly<Record<string, string | undefined>>): Language {
  const name =
    env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || new Intl.DateTimeFormat().resolvedOptions().locale;
  return /^zh/i.test(name) ? 'zh' : 'en';
}

export const yesNo = (v: boolean): Words => (v ? { en: 'yes', zh: '是' } : { en: 'no', zh: '否' });
