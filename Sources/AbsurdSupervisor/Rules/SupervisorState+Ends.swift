import Absurd

/// What follows from the end of a process.
extension SupervisorState {
    mutating func ended(_ launch: Int, _ end: ProcessEnd, at now: Instant) -> [Action] {
        guard let (child, position) = place(of: launch) else { return [] }
        let process = children[child].processes.remove(at: position)
        children[child].lastEnd = end
        let restartIn = process.stop == nil ? followUp(process, of: child, end, now) : nil
        act(
            .report(
                .ended(
                    ChildEnd(
                        child: child, processID: process.processID, end: end,
                        duration: now - process.startedAt,
                        isExpected: process.stop != nil, restarts: children[child].restarts,
                        restartIn: restartIn))))
        if rollStep?.launch == launch { failRoll(end) }
        if process.stop?.cause == .roll { replace(child, now) }
        return proceed(now)
    }

    /// Decides what an end leads to that nobody asked for; returns the pause before the restart, if there is one.
    private mutating func followUp(
        _ process: Process, of child: Int, _ end: ProcessEnd, _ now: Instant
    ) -> Duration? {
        // The other process of a roll goes on in its place.
        if children[child].processes.contains(where: { $0.stop == nil }) { return nil }
        if options.restart.kind == .onFailure, end.isSuccess {
            children[child].isFinished = true
            return nil
        }
        let reason = "child \(child) \(end) after \((now - process.startedAt).rounded)"
        guard ledger.record(workerID: String(child), error: reason, at: now) != nil else {
            fail(
                "the children were started again more than \(options.restartLimit) times within "
                    + "\(options.restartWindow.rounded); the last to end: \(reason)", now)
            return nil
        }
        // A child that was up for a while starts afresh, not with the pauses of earlier trouble.
        if now - process.startedAt > options.restartWindow { children[child].pauses.reset() }
        let pause = children[child].pauses.next()
        restart(child, at: now + pause, now)
        return pause
    }

    private mutating func restart(_ child: Int, at start: Instant, _ now: Instant) {
        let others: Range<Int>
        switch options.strategy.kind {
        case .oneForOne:
            children[child].restarts += 1
            children[child].startAt = start
            return
        case .all: others = children.indices
        case .restForOne: others = child..<children.endIndex
        }
        var affected = group?.children ?? []
        for other in others where !children[other].isFinished && affected.insert(other).inserted {
            children[other].restarts += 1
            children[other].startAt = nil
            // What was new in a roll is stopped with the rest, and everybody starts anew.
            if let step = rollStep, children[other].processes.contains(where: { $0.id == step.launch }) {
                rollStep = nil
            }
            stop(other, for: .group, within: options.gracePeriod, now)
        }
        group = Group(children: affected, startAt: max(start, group?.startAt ?? start))
    }

    private mutating func fail(_ reason: String, _ now: Instant) {
        coming = .failed(reason)
        stopAll(within: options.gracePeriod, now)
    }
}

// MARK: - Stopping

extension SupervisorState {
    /// Ends the children and then the supervisor.
    mutating func stop(within grace: Duration, at now: Instant) -> [Action] {
        if coming == nil {
            coming = .stopped
            act(.report(.stopping(processes: processCount, grace: grace)))
        }
        stopAll(within: grace, now)
        return proceed(now)
    }

    /// Tells those that have been told to end once more.
    mutating func hurry() -> [Action] {
        for process in children.flatMap(\.processes) {
            guard let processID = process.processID, let stop = process.stop, !stop.isKilled else { continue }
            act(.signal(processID: processID, .terminate))
        }
        return takeActions()
    }

    /// Ends the children at once.
    mutating func kill(at now: Instant) -> [Action] {
        if coming == nil || coming == .stopped { coming = .killed }
        stopAll(within: .zero, now)
        return proceed(now)
    }

    private mutating func stopAll(within grace: Duration, _ now: Instant) {
        group = nil
        isRolling = false
        rollStep = nil
        for child in children.indices {
            children[child].startAt = nil
            stop(child, for: .shutdown, within: grace, now)
        }
    }

    /// Tells the processes of a child to end, except one; those that were told before are given no more time.
    mutating func stop(
        _ child: Int, except launch: Int? = nil, for cause: Cause, within grace: Duration, _ now: Instant
    ) {
        for position in children[child].processes.indices {
            let process = children[child].processes[position]
            guard process.id != launch else { continue }
            if let stop = process.stop {
                children[child].processes[position].stop?.killAt = min(stop.killAt, now + grace)
                continue
            }
            children[child].processes[position].stop = Stop(cause: cause, killAt: now + grace, grace: grace)
            // One that is to be killed at once needs no other signal.
            if let processID = process.processID, grace > .zero {
                act(.signal(processID: processID, .terminate))
            }
        }
    }

    mutating func killOverdue(_ now: Instant) {
        for child in children.indices {
            for position in children[child].processes.indices {
                let process = children[child].processes[position]
                guard let stop = process.stop, !stop.isKilled, stop.killAt <= now else { continue }
                children[child].processes[position].stop?.isKilled = true
                guard let processID = process.processID else { continue }
                act(.signal(processID: processID, .kill))
                if coming != .killed {
                    act(.report(.killing(child: child, processID: processID, after: stop.grace)))
                }
            }
        }
    }
}
