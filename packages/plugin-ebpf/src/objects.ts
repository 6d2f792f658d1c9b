import { fileURLToPath } from "node:url";

/** The compiled objects, beside `src` and `dist` alike. `make -C bpf` builds them. */
export const NODE_OBJECT = fileURLToPath(new URL("../objects/node.bpf.o", import.meta.url));
export const PROXY_OBJECT = fileURLToPath(new URL("../objects/proxy.bpf.o", import.meta.url));
export const ACCELERATION_OBJECT = fileURLToPath(new URL("../objects/acceleration.bpf.o", import.meta.url));
export const SHADOW_OBJECT = fileURLToPath(new URL("../objects/shadow.bpf.o", import.meta.url));
