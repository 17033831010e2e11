import fc from 'fast-check';
import { expect, it } from 'vitest';
import { noFigure, packFigure, unpackFigure } from '../../src/control/packed-figure.js';

it('keeps small figures to a tenth, and larger ones to 0.025 %', () => {
  fc.assert(
    fc.property(fc.double({ min: -2, max: 11.6, noNaN: true }), (exponent) => {
      const figure = 10 ** exponent;
      const packed = packFigure(figure);
      expect(Number.isInteger(packed) && packed >= 0 && packed < noFigure).toBe(true);
      const tolerance = Math.max(0.05, figure * 0.00025) * (1 + 1e-9);
      expect(Math.abs((unpackFigure(packed) ?? Number.NaN) - figure)).toBeLessThanOrEqual(tolerance);
    }),
    { numRuns: 5000, examples: [[Math.log10(410.05)], [Math.log10(453.45)], [Math.log10(409.57)]] },
  );
  for (const exact of [0, 0.1, 25, 29.9, 409.5]) expect(unpackFigure(packFigure(exact))).toBe(exact);
  expect(unpackFigure(packFigure(2_500_123))).toBeCloseTo(2_500_123, -3);
});

it('has an own place for nothing, and takes what no figure should be', () => {
  expect(unpackFigure(packFigure(null))).toBe(null);
  expect(unpackFigure(packFigure(Number.NaN))).toBe(null);
  expect(unpackFigure(packFigure(-3))).toBe(0);
  expect(packFigure(1e15)).toBe(noFigure - 1);
  expect(packFigure(Number.POSITIVE_INFINITY)).toBe(noFigure - 1);
});

it('is its own inverse: every packed figure is packed in the same way again, and larger ones are larger', () => {
  let last = -1;
  for (let packed = 0; packed < noFigure; packed++) {
    const figure = unpackFigure(packed) ?? Number.NaN;
    expect(figure).toBeGreaterThan(last);
    expect(packFigure(figure)).toBe(packed);
    last = figure;
  }
});
