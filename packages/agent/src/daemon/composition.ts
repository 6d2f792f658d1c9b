import { DEFAULT_DEADLINE_MS, Lifecycle } from "@millrace/core/internal";
import type { Setup } from "../cli/settings-options.ts";
import { Composition, token } from "../container.ts";
import type { Logger } from "../logging/logger.ts";
import { KernelView } from "../status/kernel-view.ts";
import { AdminPart } from "./admin-part.ts";
import { AmbientPart } from "./ambient-part.ts";
import { ApiPart } from "./api-part.ts";
import { EnginePart } from "./engine-part.ts";
import { HttpPart } from "./http-part.ts";
import { InstallPart } from "./install-part.ts";
import { InstancePart } from "./instance-part.ts";
import { ModePart } from "./mode-part.ts";
import { ReadinessView } from "./readiness-view.ts";
import { ReconcilingPart } from "./reconciling-part.ts";
import { RedirectionPart } from "./redirection-part.ts";
import { ReportsPart } from "./reports-part.ts";
import { RetiringPart } from "./retiring-part.ts";
import { ShadowPart } from "./shadow-part.ts";
import { SnapshotPart } from "./snapshot-part.ts";
import { Switcher } from "./switcher.ts";
import { WatchersPart } from "./watchers-part.ts";

const SETUP = token<Setup>("setup");
const LOG = token<Logger>("log");
const SIGNAL = token<AbortSignal>("signal");
const VIEW = token<KernelView>("kernel view");
const INSTANCE = token<InstancePart>("single instance");
const SNAPSHOT = token<SnapshotPart>("snapshot of the node");
const ENGINE = token<EnginePart>("engine");
const REDIRECTION = token<RedirectionPart>("redirection");
const RECONCILING = token<ReconcilingPart>("reconciling");
const RETIRING = token<RetiringPart>("retiring");
const SWITCHER = token<Switcher>("switcher");
const SHADOW = token<ShadowPart>("shadow");
const MODE = token<ModePart>("redirect mode");
const ADMIN = token<AdminPart>("admin socket");
const AMBIENT = token<AmbientPart>("ambient config");
const API = token<ApiPart>("kubernetes api");
const WATCHERS = token<WatchersPart>("watchers");
const INSTALL = token<InstallPart>("cni install");
const READINESS = token<ReadinessView>("readiness");
const REPORTS = token<ReportsPart>("kubernetes reports");
const HTTP = token<HttpPart>("http endpoint");

/** The agent as one thing that starts and stops. */
export const AGENT = token<Lifecycle>("agent");

/** Two intervals and the time that a reading may take: it is due at the end of the first, and may fail once. */
const patienceMs = ({ resync }: Setup["configuration"]): number =>
  2 * resync.intervalSeconds * 1000 + DEFAULT_DEADLINE_MS;

/**
 * Puts the agent together. Nothing is opened here: parts are made in any order, and started in the order of {@link AGENT}'s list,
 * which is the order in which a node comes to life; they are stopped in reverse.
 */
export function compose(setup: Setup, log: Logger, signal: AbortSignal): Composition {
  return new Composition()
    .value(SETUP, setup)
    .value(LOG, log)
    .value(SIGNAL, signal)
    .bind(VIEW, [SETUP], ({ configuration }) => new KernelView({ patienceMs: patienceMs(configuration) }))
    .bind(
      INSTANCE,
      [SETUP],
      ({ configuration: { sockets, paths } }) =>
        new InstancePart({ adminSocket: sockets.admin, journal: paths.journal }),
    )
    .bind(SNAPSHOT, [SETUP, LOG], ({ configuration }, theLog) => new SnapshotPart(configuration, theLog))
    .bind(ENGINE, [SETUP, LOG, SIGNAL], ({ configuration }, ...rest) => new EnginePart(configuration, ...rest))
    .bind(REDIRECTION, [SETUP, ENGINE, LOG, SIGNAL], (...parts) => new RedirectionPart(...parts))
    .bind(
      RECONCILING,
      [SETUP, ENGINE, REDIRECTION, VIEW, LOG],
      ({ configuration }, engine, redirection, view, theLog) =>
        new ReconcilingPart(engine, redirection, view, configuration.resync.intervalSeconds * 1000, theLog),
    )
    .bind(RETIRING, [ENGINE, REDIRECTION, LOG], (...parts) => new RetiringPart(...parts))
    .bind(
      SWITCHER,
      [SETUP, ENGINE, REDIRECTION],
      ({ configuration }, ...rest) => new Switcher(configuration.redirectMode, ...rest),
    )
    .bind(SHADOW, [SETUP, ENGINE, REDIRECTION, LOG], (...parts) => new ShadowPart(...parts))
    .bind(MODE, [SETUP, REDIRECTION, SWITCHER, LOG], (...parts) => new ModePart(...parts))
    .bind(
      ADMIN,
      [SETUP, ENGINE, REDIRECTION, RECONCILING, RETIRING, SWITCHER, SHADOW, VIEW, LOG],
      ({ configuration }, ...rest) => new AdminPart(configuration, ...rest),
    )
    .bind(
      AMBIENT,
      [SETUP, ENGINE, LOG],
      ({ configuration }, engine, theLog) => new AmbientPart(engine, configuration.paths.ambientConfig, theLog),
    )
    .bind(API, [SETUP], ({ configuration }) => new ApiPart(configuration))
    .bind(
      WATCHERS,
      [SETUP, ENGINE, RECONCILING, VIEW, API, LOG],
      ({ configuration }, ...rest) => new WatchersPart(configuration, ...rest),
    )
    .bind(INSTALL, [SETUP, LOG], ({ configuration }, theLog) => new InstallPart(configuration, theLog))
    .bind(READINESS, [ADMIN, WATCHERS, INSTALL], (...parts) => new ReadinessView(...parts))
    .bind(
      REPORTS,
      [SETUP, ENGINE, ADMIN, API, INSTALL, READINESS, VIEW, LOG, SIGNAL],
      ({ configuration }, ...rest) => new ReportsPart(configuration, ...rest),
    )
    .bind(
      HTTP,
      [SETUP, ENGINE, ADMIN, RECONCILING, WATCHERS, INSTALL, READINESS, REPORTS, LOG],
      ({ configuration }, ...rest) => new HttpPart(configuration, ...rest),
    )
    .bind(
      AGENT,
      [
        LOG,
        INSTANCE,
        SNAPSHOT,
        ENGINE,
        ADMIN,
        API,
        HTTP,
        REPORTS,
        REDIRECTION,
        AMBIENT,
        RECONCILING,
        WATCHERS,
        RETIRING,
        MODE,
        SHADOW,
        INSTALL,
      ],
      (theLog, ...parts) => new Lifecycle(parts, theLog.child({ component: "lifecycle" })),
    );
}
