import { expect, test } from 'vitest';
import { contrast, GROUND, groundOf, initialsOf, readable, textOn } from './colour';

test('contrast is that of WCAG', () => {
  expect(contrast('#000', '#ffffff')).toBeCloseTo(21);
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
});

test('white initials are readable on every colour of a name', () => {
  for (let i = 0; i < 200; i++)
    expect(contrast(groundOf(`name ${i}`), '#ffffff')).toBeGreaterThanOrEqual(4.5);
  expect(groundOf('HubSpot')).toBe(groundOf('HubSpot'));
});

test.each(['#ffffff', '#000000', '#ffe600', '#2456c7', '#7f7f7f', '#00ff88'])(
  '%s as primary colour stays readable',
  (primary) => {
    expect(contrast(primary, textOn(primary))).toBeGreaterThanOrEqual(4.5);
    for (const ground of Object.values(GROUND)) {
      expect(contrast(readable(primary, ground), ground)).toBeGreaterThanOrEqual(4.5);
    }
  },
);

test.each([
  ['HubSpot', 'Hu'],
  ['Google Drive', 'GD'],
  ['GitHub (app)', 'Gi'],
  ['1password events', '1E'],
  ['', '?'],
  ['日本 サービス', '日サ'],
])('%s is %s', (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});
