/** What every screen needs. */

import { createContext, useContext } from 'react';
import type { Language, Words } from './i18n';
import type { Outgoing } from './protocol';

export interface Ui {
  words: Words;
  language: Language;
  /** Shown in a frame: there is a parent to tell, and a way to close. */
  framed: boolean;
  /** The parent draws the surroundings itself. */
  embedded: boolean;
  preview: boolean;
  detectClosed: boolean;
  send: (message: Outgoing) => void;
}

export const UiContext = createContext<Ui | null>(null);

export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (ui === null) throw new Error('no UiContext');
  return ui;
}
