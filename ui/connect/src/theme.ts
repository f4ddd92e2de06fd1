/** The environment's colours as Mantine's variables. */

import { type CSSVariablesResolver, createTheme } from '@mantine/core';
import { GROUND, mix, readable, textOn } from './colour';
import type { Settings, ThemeChoice } from './wire';

export const DEFAULTS: Settings = {
  theme: { light: { primary: '#2456c7' }, dark: { primary: '#7ea2f5' } },
  defaultTheme: 'system',
  showWatermark: false,
};

export const theme = createTheme({
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Hiragino Sans", "Noto Sans JP", sans-serif',
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
});

/** `own` is what the address asks for; it wins over the environment's setting. */
export function schemeOf(
  own: ThemeChoice | null,
  settings: Settings,
  systemIsDark: boolean,
): 'light' | 'dark' {
  const choice = own ?? settings.defaultTheme;
  return choice === 'system' ? (systemIsDark ? 'dark' : 'light') : choice;
}

export function variables(settings: Settings): CSSVariablesResolver {
  const of = (scheme: 'light' | 'dark') => {
    const primary = settings.theme[scheme].primary;
    const text = readable(primary, GROUND[scheme]);
    return {
      '--mantine-primary-color-filled': primary,
      '--mantine-primary-color-filled-hover': mix(primary, textOn(primary), 0.12),
      '--mantine-primary-color-contrast': textOn(primary),
      '--mantine-color-anchor': text,
      '--mantine-color-body': GROUND[scheme],
      '--accent': readable(primary, GROUND[scheme], 3),
      '--on-primary': textOn(primary),
      ...OTHERS[scheme],
    };
  };
  return () => ({ variables: {}, light: of('light'), dark: of('dark') });
}

const OTHERS = {
  light: {
    '--mantine-color-text': '#1a2233',
    '--mantine-color-dimmed': '#566072',
    '--mantine-color-error': '#b3261e',
    '--mantine-color-placeholder': '#6b7485',
    '--field': '#ffffff',
    '--line': '#d5d9e0',
    '--edge': '#8a92a1',
    '--soft': '#f3f5f8',
    '--page': '#eef0f4',
    '--good': '#1d6b3a',
    '--bad-ground': '#fdeeed',
    '--note-ground': '#fff6e0',
    '--note': '#6b4a00',
    '--shade': 'rgba(15, 20, 30, 0.55)',
  },
  dark: {
    '--mantine-color-text': '#e8ebf1',
    '--mantine-color-dimmed': '#a7b0c0',
    '--mantine-color-error': '#ff9d95',
    '--mantine-color-placeholder': '#8f99aa',
    '--field': '#141922',
    '--line': '#39414f',
    '--edge': '#6f7a8c',
    '--soft': '#242a35',
    '--page': '#12151b',
    '--good': '#86d3a1',
    '--bad-ground': '#3a2224',
    '--note-ground': '#37301d',
    '--note': '#f0d595',
    '--shade': 'rgba(0, 0, 0, 0.6)',
  },
};
