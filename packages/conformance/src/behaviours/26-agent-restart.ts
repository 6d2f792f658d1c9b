import type { AgentStatus } from "../agent/status.ts";
import { within } from "../slow.ts";
import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, expectUntouched } from "../suite/contact.ts";
import { eventually } from "../suite/eventually.ts";
import { KillAtWrite } from "../suite/kill-at-write.ts";
import { SteadyDialling } from "../suite/steady-dialling.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "agent-restart",
  number: 26,
  title: "The agent may be killed at any write and started again",
  given:
    "streams and new connections of members; a write of the agent to the kernel, another one in each family and temperature",
  when: "the agent is killed with SIGKILL at that write while it installs, enrols a pod, unenrols it, changes the proxy, and, at last, while it is uninstalled; each time it is started again",
  outcome:
    "no connection of a member fails, breaks or goes past the proxy; the agent brings to an end what it was killed at; uninstalling leaves the node's state as it was before",
  bed: "bare",
  async run(trial) {
    const { bed, family, expect } = trial;
    const z2 = await bed.addProxy();
    const killer = new KillAtWrite();
    try {
      await bed.startProxy();
      const before = await snapshot(bed.node);
      await installKilled(trial, killer);
      const targets = [bed.ext, bed.m2].map((host) => ({ host: host.address(family), port: SERVER_PORT }));
      const dialling = await SteadyDialling.start(bed.m1, targets);

      await killedDuring(trial, killer, "enrolling", () => bed.labelLate(true), enrolled(trial, true));
      await bed.agent.untilEnrolled(bed.l1);
      const out = { host: bed.ext.address(family), port: SERVER_PORT };
      const made = await contact(trial, bed.l1, out);
      expect.equal("the server saw", made.seen.peer, bed.l1.address(family));
      const records = await bed.proxy.awaitRecords({ source: bed.l1.address(family) }, made.since, made.connections);
      expect.equal("connections of the enrolled pod that the proxy saw", records.length, made.connections);

      await killedDuring(trial, killer, "unenrolling", () => bed.labelLate(false), enrolled(trial, false));
      await bed.agent.untilLeft(bed.l1);
      await killedDuring(
        trial,
        killer,
        "changing the proxy",
        () => bed.node.applyPod(z2.pod),
        active(trial, z2.pod.uid),
      );
      await bed.agent.untilActive(z2.pod);
      const since = z2.mark();
      const client = await bed.m1.endpoint();
      expect.success("a connection by the new proxy", await client.ask("report", out));
      expect.that("it was the new proxy's", (await z2.awaitRecords({ destination: out.host }, since)).length > 0, "z2");
      await dialling.expectUnbroken(expect);

      await uninstallKilled(trial, killer);
      const again = await bed.agent.millrace("uninstall", "--verify");
      expect.equal("exit status of uninstall, the second time, which proves it", again.status, 0);
      expect.equal("what changed", compareSnapshots(before, await snapshot(bed.node)), []);
    } finally {
      await bed.stopAgent();
      bed.node.deletePodObject(z2.pod);
      await bed.node.removePod(z2.pod.name);
    }
    await expectUntouched(trial, await contact(trial, bed.m1, { host: bed.ext.address(family), port: SERVER_PORT }));
  },
});

/** Each trial kills at another write. */
const ordinal = ({ family, temperature }: Trial): number =>
  ({ 4: { cold: 1, warm: 2 }, 6: { cold: 3, warm: 5 } })[family][temperature];

async function installKilled(trial: Trial, killer: KillAtWrite): Promise<void> {
  const { bed, expect } = trial;
  killer.arm(ordinal(trial) * 4);
  try {
    await bed.startAgent({}, killer);
    // A backend of few writes has installed all before it comes to that one.
    await untilGone(trial, killer, installed(trial));
  } catch (error) {
    // An agent that was killed before it served its status did what it was to do.
    if (killer.at === undefined) throw error;
  }
  expect.note("installing, killed at", killer.at);
  await bed.startAgent({}, killer);
  await bed.ready();
}

async function killedDuring(
  trial: Trial,
  killer: KillAtWrite,
  what: string,
  start: () => void,
  done: () => Promise<boolean>,
): Promise<void> {
  const { bed, expect } = trial;
  killer.arm(ordinal(trial));
  start();
  await untilGone(trial, killer, done);
  expect.note(`${what}, killed at`, killer.at);
  await bed.agent.restart();
}

/** Waits until the agent was killed; if what it does is done before, it is killed then. */
async function untilGone({ bed, expect }: Trial, killer: KillAtWrite, done: () => Promise<boolean>) {
  await eventually(
    expect,
    "killed",
    async () => {
      if (killer.at === undefined && (await done())) killer.finish();
      return { holds: !bed.agent.running, seen: killer.at };
    },
    within(30_000),
  );
}

/** Whether the agent says so; one that is gone says nothing. */
async function says({ bed }: Trial, wanted: (status: AgentStatus) => boolean): Promise<boolean> {
  try {
    return wanted(await bed.agent.status());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET") return false;
    throw error;
  }
}

const installed = (trial: Trial) => async () =>
  (await active(trial, trial.bed.z.uid)()) &&
  says(trial, ({ workloads }) =>
    [trial.bed.m1, trial.bed.m2].every((pod) =>
      workloads.some(({ uid, state }) => uid === pod.uid && state === "enrolled"),
    ),
  );

const enrolled = (trial: Trial, wanted: boolean) => () =>
  says(trial, ({ workloads }) => {
    const state = workloads.find(({ uid }) => uid === trial.bed.l1.uid)?.state;
    return wanted ? state === "enrolled" : state === undefined || state === "not a member";
  });

const active = (trial: Trial, uid: string) => () =>
  says(trial, ({ proxies }) => proxies.some((proxy) => proxy.uid === uid && proxy.role === "active"));

async function uninstallKilled(trial: Trial, killer: KillAtWrite): Promise<void> {
  const { bed, expect } = trial;
  await bed.agent.stop();
  killer.arm(ordinal(trial));
  const uninstalling = bed.agent.startMillrace("uninstall");
  await uninstalling.ended;
  expect.note("uninstalling, killed at", killer.at ?? `never: ${uninstalling.outcome}`);
}
