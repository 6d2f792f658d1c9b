import { expect, test } from "vitest";
import { summarise } from "./log-summary.ts";

const VERIFIER = `libbpf: prog 'unchecked': BPF program load failed: Permission denied
libbpf: prog 'unchecked': -- BEGIN PROG LOAD LOG --
0: R1=ctx(off=0,imm=0) R10=fp0
; unsigned char *data = (void *)(long)skb->data;
0: (61) r2 = *(u32 *)(r1 +76)
invalid access to packet, off=40 size=1, R2(id=0,off=40,r=0)
R2 offset is outside of the packet
processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'unchecked': failed to load: -13
libbpf: failed to load object 'object'
`;

test("the verifier's last sentence, not its statistics", () => {
  expect(summarise(VERIFIER)).toBe("R2 offset is outside of the packet");
});

test("of several programs the one that failed last", () => {
  expect(summarise(VERIFIER + VERIFIER.replace("R2 offset", "R7 offset"))).toBe("R7 offset is outside of the packet");
});

test("a verifier log that was cut off", () => {
  expect(summarise(VERIFIER.slice(0, VERIFIER.indexOf("R2 offset")))).toBe(
    "invalid access to packet, off=40 size=1, R2(id=0,off=40,r=0)",
  );
});

test("the kernel's answer over netlink", () => {
  expect(summarise("libbpf: Kernel error message: Exclusivity flag on, cannot modify\n")).toBe(
    "Exclusivity flag on, cannot modify",
  );
});

test("else libbpf's first line", () => {
  expect(summarise("libbpf: elf: 'x' is not a proper ELF object\nlibbpf: more\n")).toBe(
    "elf: 'x' is not a proper ELF object",
  );
});

test("an empty log says nothing", () => {
  expect(summarise("")).toBe("");
});
