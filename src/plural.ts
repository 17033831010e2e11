/**
 * A number with the word for what it counts: `1 camera`, `0 cameras`, `2 pushes`.
 * @param many the word for none and for several; default: `one` with an s
 */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${value} ${value === 1 ? one : many}`;
}
