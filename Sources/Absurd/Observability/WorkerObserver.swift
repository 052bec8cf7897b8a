package import Logging

/// Tells metrics, listeners and the log what happened in one worker, so that the worker says it once.
package struct WorkerObserver: Sendable {
    package private(set) var workerID: String
    package let queue: String
    package let broadcaster: EventBroadcaster
    package let metrics: WorkerMetrics
    package private(set) var logger: Logger
    private let slots: SlotCount
    private let outages: OutageLog

    package init(
        workerID: String, queue: String, broadcaster: EventBroadcaster, slots: SlotCount, outages: OutageLog,
        logger: Logger
    ) {
        self.workerID = workerID
        self.queue = queue
        self.broadcaster = broadcaster
        self.metrics = WorkerMetrics(queue: queue)
        self.slots = slots
        self.outages = outages
        var logger = logger
        logger[metadataKey: "absurd.worker"] = .string(workerID)
        logger[metadataKey: "absurd.queue"] = .string(queue)
        self.logger = logger
    }

    /// The same for a worker that goes on under another id.
    package func naming(_ workerID: String) -> WorkerObserver {
        guard workerID != self.workerID else { return self }
        var observer = self
        observer.workerID = workerID
        observer.logger[metadataKey: "absurd.worker"] = .string(workerID)
        return observer
    }

    package func report(_ kind: WorkerEvent.Kind) {
        metrics.record(kind)
        if broadcaster.isObserved {
            broadcaster.send(WorkerEvent(workerID: workerID, queue: queue, time: .now, kind: kind))
        }
        log(kind)
    }

    package func slotTaken() { slots.change(by: 1) }
    package func slotGivenBack() { slots.change(by: -1) }

    package func logger(for run: RunInfo) -> Logger {
        var logger = logger
        logger[metadataKey: "task.id"] = "\(run.taskID)"
        logger[metadataKey: "task.name"] = .string(run.taskName)
        logger[metadataKey: "run.id"] = "\(run.runID)"
        logger[metadataKey: "run.attempt"] = "\(run.attempt)"
        return logger
    }

    private func log(_ kind: WorkerEvent.Kind) {
        switch kind {
        case .workerStarted: logger.info("worker started")
        case .workerStopped: logger.info("worker stopped")
        case .workerRestarted(let count, let error):
            logger.info(
                "worker restarted", metadata: ["absurd.restarts": "\(count)", "error": .string(error)])
        case .claimed(let count): logger.trace("claimed", metadata: ["absurd.runs": "\(count)"])
        case .claimFailed: break  // The outage log says it once.
        // A logger for the run costs more than the rest of a report, so it is made only for what is logged.
        case .started(let run): if logger.logLevel <= .trace { logger(for: run).trace("run started") }
        case .completed(let run, _):
            if logger.logLevel <= .debug { logger(for: run).debug("run completed") }
        case .failed(let run, let failure, let isFinal, _):
            // The message may quote stored data; the name does not.
            logger(for: run).info(
                isFinal ? "task failed" : "attempt failed", metadata: ["error.name": .string(failure.name)])
        case .suspended(let run, _):
            if logger.logLevel <= .debug { logger(for: run).debug("run suspended") }
        case .deferred(let run, let delay):
            logger(for: run).info(
                "no handler for this task here, put off", metadata: ["absurd.delay": "\(delay)"])
        case .released(let run):
            logger(for: run).log(level: outages.isFresh ? .debug : .info, "run given back")
        case .claimLapsed(let run):
            // In an outage all claims run out, for one reason that the log has given.
            logger(for: run).log(
                level: outages.isFresh ? .debug : .info,
                "the claim has run out while the handler goes on: record smaller steps, send heartbeats or raise claimTimeout"
            )
        case .claimLost(let run):
            logger(for: run).log(
                level: outages.isFresh ? .debug : .info, "claim lost, the execution was dropped")
        case .cancelled(let run): logger(for: run).info("task cancelled while it was executing")
        }
    }
}
