/** All steps of a generator at once, for those who need not let others have their turn. @throws what the steps throw */
export function allOf<R>(steps: Iterator<unknown, R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
