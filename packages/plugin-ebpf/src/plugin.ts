import { definePlugin } from "@millrace/core";
import { EbpfBackend } from "./backend.ts";
import { configSchema } from "./config.ts";

export const ebpf = definePlugin({
  name: "ebpf",
  description: "tc programs that hand packets straight to the node proxy",
  apiVersion: 1,
  config: configSchema,
  create: (context) => new EbpfBackend(context),
});
