import { describeBackend } from "./index.ts";

await describeBackend(new URL("../testing/idle-backend.ts", import.meta.url), {
  only: ["kubelet-probe", 16],
  families: [4],
  temperatures: ["cold"],
});
