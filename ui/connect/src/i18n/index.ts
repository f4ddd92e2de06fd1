/** One language is loaded: the one asked for, else the browser's first that we have, else English. */

import type { Words } from './en';

export type { Words };

const LANGUAGES = {
  en: () => import('./en'),
  de: () => import('./de'),
  es: () => import('./es'),
  fr: () => import('./fr'),
  ja: () => import('./ja'),
};

export type Language = keyof typeof LANGUAGES;

export const languages = Object.keys(LANGUAGES) as Language[];

export function chooseLanguage(asked: string | null, browser: readonly string[]): Language {
  for (const wanted of asked === null ? browser : [asked, ...browser]) {
    const short = wanted.toLowerCase().split(/[-_]/)[0];
    const found = languages.find((language) => language === short);
    if (found !== undefined) return found;
  }
  return 'en';
}

export const loadWords = async (language: Language): Promise<Words> => (await LANGUAGES[language]()).default;
