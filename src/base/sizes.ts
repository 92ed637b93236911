/** 1,024 bytes. Sizes are written `64 * KiB`, so that no digit can be mistyped unseen. */
export const KiB = 1024;
/** 1,024 KiB in bytes. */
export const MiB = 1024 * KiB;
