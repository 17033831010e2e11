/**
 * Runs all steps of a generator at once, for callers that need not yield to the event loop. @throws what the steps
 * throw
 */
export function allOf<R>(steps: Iterator<unknown, R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
