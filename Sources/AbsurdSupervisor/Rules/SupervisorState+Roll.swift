/// Replacing the children one after the other.
extension SupervisorState {
    /// Has every process that runs now replaced.
    ///
    /// Asked for again during a roll, it also replaces what that roll has started.
    mutating func roll(at now: Instant) -> [Action] {
        guard coming == nil else { return [] }
        epoch += 1
        isRolling = true
        act(.report(.rollStarted))
        return proceed(now)
    }

    mutating func goOnRolling(_ now: Instant) {
        guard isRolling, group == nil else { return }
        if let step = rollStep, let (child, _) = place(of: step.launch) {
            guard let settledAt = step.settledAt, settledAt <= now else { return }
            stop(child, except: step.launch, for: .roll, within: options.gracePeriod, now)
        }
        rollStep = nil
        // One after the other.
        guard !children.contains(where: { $0.processes.contains { $0.stop != nil } }) else { return }
        guard let child = children.firstIndex(where: { $0.processes.contains { $0.epoch < epoch } }) else {
            // What waits for its restart starts as new.
            isRolling = false
            act(.report(.rollEnded))
            return
        }
        switch options.roll.kind {
        case .startFirst: startReplacement(child, now)
        case .stopFirst: stop(child, for: .roll, within: options.gracePeriod, now)
        }
    }

    /// Starts what is to follow a process that was stopped for the roll, unless it runs already.
    mutating func replace(_ child: Int, _ now: Instant) {
        let isTaken = !children[child].processes.isEmpty || children[child].startAt != nil
        let isOthers = group?.children.contains(child) ?? false
        if coming == nil, !isTaken, !isOthers, !children[child].isFinished { startReplacement(child, now) }
    }

    mutating func failRoll(_ end: ProcessEnd) {
        rollStep = nil
        guard isRolling else { return }
        isRolling = false
        act(.report(.rollFailed(reason: end.description)))
    }

    private mutating func startReplacement(_ child: Int, _ now: Instant) {
        let launch = launch(child, at: now)
        rollStep = RollStep(launch: launch)
    }
}
