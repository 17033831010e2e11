/**
 * Prints the help, or runs a program's `main` and exits with its code; 1 when it fails.
 * @param end called before it exits
 */
export async function runMain(help: string | undefined, main: () => Promise<number>, end = () => {}): Promise<void> {
  if (help !== undefined) {
    console.log(help);
    return;
  }
  const code = await main().catch((error: unknown) => {
    console.error(error);
    return 1;
  });
  end();
  process.exit(code);
}
