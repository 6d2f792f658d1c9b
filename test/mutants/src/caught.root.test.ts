import { expect, it } from "vitest";
import { catchMutant } from "./catch-mutant.ts";
import { mutantOf } from "./mutants.ts";

// One of each way to be wrong; `make test-mutants` has them all.
it.each(["inbound-hbone", "self-call", "kubelet-probe"])(
  "%s catches its mutant",
  async (behaviour) => expect(await catchMutant(mutantOf(behaviour), "own")).toMatchObject({ behaviour, caught: true }),
  180_000,
);
