/*
 * A figure for a plot, in 16 bits: the way of a floating point number, without a sign and with its own unit.
 *
 *   0 to 4095        so many tenths, as they are
 *   4096 to 65534    EEEEE MMMMMMMMMMM: 2048 + M, times 2 to the power of E - 1, tenths
 *   65535            nothing was seen
 *
 * Hence figures below 410 are to a tenth, and larger ones to 0.025 %.
 */

/** What stands for no figure. */
export const noFigure = 0xffff;

/** The significant bits of a figure, less the first, which is always 1 but in the smallest. */
const mantissaBits = 11;
const mantissaEnd = 2 ** (mantissaBits + 1);
/** The largest figure, in tenths: what 65534 stands for. */
const largest = (mantissaEnd - 2) * 2 ** 30;

/** @param figure not below 0: what is, counts as 0; not a number: as none; beyond 4 * 10^11: as the largest */
export function packFigure(figure: number | null): number {
  if (figure === null || Number.isNaN(figure)) return noFigure;
  // Rounded once: twice would be off by up to 0.04 %.
  const tenths = Math.min(Math.max(0, figure * 10), largest);
  if (Math.round(tenths) < mantissaEnd) return Math.round(tenths);
  const exponent = Math.floor(Math.log2(tenths)) - mantissaBits;
  // Rounding up to the next power of two is right as well: it carries into the exponent.
  return exponent * 2 ** mantissaBits + Math.round(tenths / 2 ** exponent);
}

/** @param packed what `packFigure` returned */
export function unpackFigure(packed: number): number | null {
  if (packed === noFigure) return null;
  if (packed < mantissaEnd) return packed / 10;
  const exponent = (packed >>> mantissaBits) - 1;
  return Math.round((packed - exponent * 2 ** mantissaBits) * 2 ** exponent) / 10;
}
