import { afterEach, expect, it } from "vitest";
import { Variant } from "./planted/variant.ts";
import { Datapath } from "./support/datapath.ts";
import { MAC_OUTBOUND, tcpFrame } from "./support/frames.ts";
import type { ProgramName } from "./support/layout.ts";
import { testRun } from "./support/test-run.ts";

/* The kernel's helpers fail when memory is short. Here they are made to, in objects built for this: a member's TCP is dropped and counted. */

const ENDS = { source: "198.18.1.10", destination: "198.18.9.9", sourcePort: 40000, destinationPort: 80 };
const DROPPED = { verdict: "dropped_error", action: "drop" };
const stack = new DisposableStack();
afterEach(() => stack.dispose());

it("a frame that cannot be written, a map that takes no entry", () => {
  const variant = stack.use(
    new Variant([
      {
        file: "include/write-front.h",
        from: "void *place = front(skb, bytes);\n\n\tif (!place)\n\t\treturn bpf_skb_store_bytes(skb, 0, from, bytes, 0) == 0;",
        to: "void *place = front(skb, bytes);\n\n\treturn false;",
      },
      {
        file: "programs/ztunnel_tproxy.bpf.c",
        from: "if (direction == DIRECTION_DNS) {\n\t\tif (bpf_map_update_elem(&flows, &packet->flow, &direction, BPF_ANY))",
        to: "if (direction == DIRECTION_OUTBOUND) {\n\t\tif (true)",
      },
    ]),
  );
  const datapath = stack.use(new Datapath(1, variant.objects));
  datapath.proxy(0, { ifindex: 1, netnsid: 9999, mac: "02:00:00:00:00:01" });
  datapath.settings({ active: 1 });
  datapath.member(ENDS.destination, { ifindex: 1, mac: "02:00:00:00:00:02" });
  const run = (program: ProgramName) => testRun(datapath, program, tcpFrame(ENDS, { from: MAC_OUTBOUND }));
  expect(run("app_outbound")).toMatchObject(DROPPED);
  expect(run("app_inbound")).toMatchObject(DROPPED);
  expect(run("ztunnel_host_in")).toMatchObject(DROPPED);
  expect(run("ztunnel_tproxy")).toMatchObject(DROPPED);
}, 300_000);
