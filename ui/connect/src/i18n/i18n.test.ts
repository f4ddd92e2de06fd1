import { expect, test } from 'vitest';
import en from './en';
import { chooseLanguage, languages, loadWords } from './index';

test.each([
  ['de', ['en'], 'de'],
  ['fr-CA', [], 'fr'],
  ['pt', ['es-MX', 'en'], 'es'],
  [null, ['ja-JP'], 'ja'],
  [null, ['pt'], 'en'],
  ['__proto__', [], 'en'],
])('asked %s, browser %j: %s', (asked, browser, expected) => {
  expect(chooseLanguage(asked, browser)).toBe(expected);
});

/** Every sentence by its path, with functions called on a marker. */
function sentences(words: object, path = ''): [string, string][] {
  return Object.entries(words).flatMap(([key, value]): [string, string][] => {
    if (typeof value === 'object') return sentences(value, `${path}${key}.`);
    const numeric = key === 'found' || key === 'mending';
    return [[path + key, typeof value === 'function' ? value(numeric ? 7 : 'MARK') : value]];
  });
}

test.each(languages)('%s says everything, with the same things filled in', async (language) => {
  const said = new Map(sentences(await loadWords(language)));
  for (const [key, english] of sentences(en)) {
    const text = said.get(key) ?? '';
    expect(text.trim(), key).not.toBe('');
    for (const mark of ['MARK', '7']) expect(text.includes(mark), key).toBe(english.includes(mark));
  }
});

test.each(languages.filter((language) => language !== 'en'))('%s is translated', async (language) => {
  const english = new Map(sentences(en));
  const same = sentences(await loadWords(language)).filter(([key, text]) => english.get(key) === text);
  expect(same.map(([key]) => key).filter((key) => key !== 'field.region')).toEqual([]);
});
