/** Checks before anything is sent; the server checks again and has the last word. */

import { type Form, type FormField, type Values, visibleFields } from './fields';
import { cleaned } from './request';

export type Complaint =
  | { kind: 'required' }
  | { kind: 'choice' }
  | { kind: 'pattern'; example?: string }
  | { kind: 'format'; format: Format; example?: string }
  | { kind: 'characters' };

export type Format = 'hostname' | 'uuid' | 'email' | 'uri';

const FORMATS: Record<Format, RegExp> = {
  hostname: /^(?=.{1,253}$)([a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}\.)*[a-zA-Z0-9-]{1,63}(:\d{1,5})?$/,
  uuid: /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
  email: /^[^@\s]{1,64}@[^@\s]{1,255}$/,
  uri: /^https?:\/\/[^\s/?#]+[^\s]*$/,
};

export function complaintsOf(form: Form, values: Values): Record<string, Complaint> {
  const found: Record<string, Complaint> = {};
  for (const field of visibleFields(form, values)) {
    const complaint = complaintOf(field, values[field.id] ?? '');
    if (complaint !== null) found[field.id] = complaint;
  }
  return found;
}

export function complaintOf(field: FormField, value: string): Complaint | null {
  const text = cleaned(field, value);
  if (text === '') return field.required ? { kind: 'required' } : null;
  if (hasControls(text, field.lines)) return { kind: 'characters' };
  if (field.choices.length > 0) return field.choices.includes(text) ? null : { kind: 'choice' };
  if (field.pattern !== undefined && !matches(field.pattern, text))
    return { kind: 'pattern', example: field.example };
  if (isFormat(field.format) && !FORMATS[field.format].test(text)) {
    return { kind: 'format', format: field.format, example: field.example };
  }
  return null;
}

/** Patterns are written for the server; one this browser cannot read is left to it. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    return true;
  }
}

function hasControls(text: string, lines: boolean): boolean {
  for (const char of text) {
    const code = char.charCodeAt(0);
    if ((code < 32 || code === 127) && !(lines && (char === '\n' || char === '\r'))) return true;
  }
  return false;
}

const isFormat = (format: string | undefined): format is Format => format !== undefined && format in FORMATS;
