import { rmSync } from "node:fs";
import { attachTcx, BpfObject, type BpfProgram } from "libbpf-ts";
import { openNetns } from "linux-ts";
import type { NodeBox } from "./node-box.ts";
import { run } from "./run.ts";

/** A program as somebody else would attach it: it decides nothing, and lets every packet go on to the next one. */
export function loadForeign(
  box: NodeBox,
  name: string,
  section: "tc" | "sk_lookup" = "tc",
): { object: BpfObject; program: BpfProgram } {
  const source = `${box.directory}/${name}.bpf.c`;
  run(
    "sh",
    "-c",
    'printf "%s" "$1" >"$2.c" && clang -O2 -g -target bpf -c "$2.c" -o "$2.o"',
    "sh",
    `__attribute__((section("${section}"), used)) int ${name}(void *context) { return ${section === "tc" ? -1 : 1}; }\nchar _license[] __attribute__((section("license"))) = "GPL";\n`,
    source,
  );
  const object = BpfObject.open(`${source}.o`);
  object.load();
  rmSync(`${source}.c`);
  rmSync(`${source}.o`);
  return { object, program: object.program(name) };
}

/** Pinned for tc(8), which takes it by path; the pin goes when this is disposed, the filters stay. */
export function foreignProgram(box: NodeBox, name: string): Disposable & { readonly pin: string } {
  const { object, program } = loadForeign(box, name);
  const pin = `${box.visibleBpffs}/${name}`;
  program.pin(pin);
  return {
    pin,
    [Symbol.dispose]() {
      rmSync(pin);
      object[Symbol.dispose]();
    },
  };
}

export interface ForeignTcx extends Disposable {
  readonly programId: number;
  readonly linkId: number;
}

/** Attached to the ingress of an interface of the box until it is disposed. */
export function foreignTcx(box: NodeBox, name: string, ifindex: number, position: "first" | "last"): ForeignTcx {
  const { object, program } = loadForeign(box, name);
  using netns = openNetns(`/run/netns/${box.netns}`);
  const link = attachTcx({ program, ifindex, direction: "ingress", netns: netns.fd, position });
  return {
    programId: program.info.id,
    linkId: link.info().id,
    [Symbol.dispose]() {
      link.detach();
      link[Symbol.dispose]();
      object[Symbol.dispose]();
    },
  };
}
