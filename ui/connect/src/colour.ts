/** Colours as WCAG 2 sees them. */

/** What everything stands on. */
export const GROUND = { light: '#ffffff', dark: '#1b2029' };

type Rgb = [number, number, number];

export function parse(hex: string): Rgb {
  const digits = hex.slice(1);
  const whole = digits.length === 3 ? [...digits].map((d) => d + d).join('') : digits;
  const at = (index: number) => Number.parseInt(whole.slice(index, index + 2), 16);
  return [at(0), at(2), at(4)];
}

const hexOf = (rgb: Rgb): string =>
  `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;

function luminance(hex: string): number {
  const [r, g, b] = parse(hex).map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** From 1 (alike) to 21 (black on white). */
export function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

export function mix(from: string, to: string, share: number): string {
  const [a, b] = [parse(from), parse(to)];
  return hexOf(a.map((part, index) => part + ((b[index] ?? part) - part) * share) as Rgb);
}

/** Black or white, whichever is easier to read on it. */
export const textOn = (ground: string): string =>
  contrast(ground, '#ffffff') >= contrast(ground, '#101418') ? '#ffffff' : '#101418';

/** The colour moved away from the ground until it reaches the contrast wanted on it. */
export function readable(colour: string, ground: string, wanted = 4.5): string {
  const end = luminance(ground) > 0.18 ? '#000000' : '#ffffff';
  for (let share = 0; share < 1; share += 0.05) {
    const tried = mix(colour, end, share);
    if (contrast(tried, ground) >= wanted) return tried;
  }
  return end;
}

/** Grounds that white text is easy to read on. */
const GROUNDS = [
  '#3949ab',
  '#00695c',
  '#ad1457',
  '#4e342e',
  '#6a1b9a',
  '#1565c0',
  '#2e7d32',
  '#b3261e',
  '#37474f',
  '#8d4a00',
  '#00607a',
  '#5b5f00',
] as const;

/** The same name always has the same colour. */
export function groundOf(name: string): string {
  let hash = 2166136261;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  return GROUNDS[hash % GROUNDS.length] ?? GROUNDS[0];
}

/** Up to two letters that stand for a name. */
export function initialsOf(name: string): string {
  const words = name
    .replace(/\(.*\)/, '')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  const letters =
    words.length > 1 ? words.slice(0, 2).map((word) => [...word][0]) : [...(words[0] ?? '?')].slice(0, 2);
  const text = letters.join('');
  return words.length > 1 ? text.toLocaleUpperCase() : text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
