/** Runs before every unit test: bytes that a socket read are gone once its reader returned, as the next read has them gone. */
import { onAfterRead } from '../../src/net/shared-read.js';

onAfterRead((data) => data.fill(0xa5));
