import { arch, release } from "node:os";
import type { Check } from "../check.ts";

/** Which kernel this is. Nothing is concluded from its version: distributions backport, so features are tried one by one. */
export const kernel: Check = () => [{ name: "kernel", state: "note", detail: `Linux ${release()} ${arch()}` }];
