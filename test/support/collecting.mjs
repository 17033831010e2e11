/**
 * node --expose-gc --import collecting.mjs PROGRAM: collects garbage every two seconds, so that the memory of PROGRAM is what it
 * holds, not what it has not tidied up yet.
 */
setInterval(() => globalThis.gc?.(), 2000).unref();
