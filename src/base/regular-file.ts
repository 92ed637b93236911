import { constants } from "node:fs";

/** How to open what should be a regular file: a FIFO would otherwise wait for a writer. */
export const regularFileFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/** What to say of anything else, after the name of it. */
export const notRegularFile = "is not a regular file";
