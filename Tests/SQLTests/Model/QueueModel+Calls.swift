import Foundation

// What each call does, and what it answers.
extension QueueModel {
    func task(_ number: Int) -> Int? { tasks.isEmpty ? nil : number % tasks.count }

    /// Counted from the newest.
    func claim(_ number: Int) -> Claim? {
        claims.isEmpty ? nil : claims[claims.count - 1 - number % claims.count]
    }

    mutating func spawn(_ task: Task) -> String {
        if let key = task.key, let known = tasks.first(where: { $0.key == key }) {
            return "false \(known.id.uuidString.lowercased())"
        }
        tasks.append(task)
        return "true \(task.id.uuidString.lowercased())"
    }

    mutating func emit(_ event: String, _ payload: String) -> String {
        if case .some(.some) = events[event] { return "known" }
        events[event] = payload
        for (key, list) in waits {
            let mine = list.filter { $0.event == event }
            guard !mine.isEmpty else { continue }
            waits[key] = list.filter { $0.event != event }
            for wait in mine where wait.deadline.map({ $0 > now }) ?? true {
                guard self[key].state == "sleeping" else { continue }
                park(key, state: "pending", until: now, wakeEvent: nil)
                self[key].payload = payload
                record(wait.step, payload, key)
            }
        }
        return "emitted"
    }

    mutating func cancel(_ index: Int) -> String {
        guard !tasks[index].hasEnded else { return "unchanged" }
        var runs: [RunKey] = []
        for number in tasks[index].runs.indices {
            let key = RunKey(task: index, run: number)
            waits[key] = nil
            guard self[key].isOpen else { continue }
            runs.append(key)
            self[key].state = "cancelled"
            self[key].worker = nil
            self[key].expires = nil
        }
        tasks[index].state = "cancelled"
        tasks[index].cancelled = now
        wakeResultWaits(ended: [index], runs: runs)
        return "cancelled"
    }

    mutating func retry(_ index: Int) -> String {
        guard tasks[index].state == "failed" else { return "P0001" }
        let attempts = tasks[index].runs.count
        tasks[index].maxAttempts = (tasks[index].maxAttempts ?? attempts) + 1
        // A limit from before, that an explicit failure ended early, may leave room already.
        tasks[index].state = "pending"
        tasks[index].runs.append(Run(attempt: attempts + 1, availableAt: now))
        return "\(attempts + 1)"
    }

    /// Fails expired claims: the first half of a claim.
    mutating func sweep() {
        var swept: [RunKey] = []
        var ended: [Int] = []
        for index in tasks.indices {
            for number in tasks[index].runs.indices {
                let key = RunKey(task: index, run: number)
                guard self[key].state == "running", let expires = self[key].expires, expires <= now else {
                    continue
                }
                failRun(key, reason: "$ClaimTimeout", isFinal: false, delay: nil)
                swept.append(key)
                if tasks[index].hasEnded { ended.append(index) }
            }
        }
        if !swept.isEmpty { wakeResultWaits(ended: ended, runs: swept) }
    }

    /// Claims due runs: the second half.
    ///
    /// Their ids are known by now.
    mutating func claimDue(worker: String, timeout: Int, limit: Int) -> String {
        var due: [(at: Int64, key: RunKey)] = []
        for index in tasks.indices {
            for (number, run) in tasks[index].runs.enumerated() {
                if ["pending", "sleeping"].contains(run.state), let at = run.availableAt, at <= now {
                    due.append((at, RunKey(task: index, run: number)))
                }
            }
        }
        func order(_ key: RunKey) -> String { self[key].id?.uuidString ?? "" }
        due.sort { ($0.at, order($0.key)) < ($1.at, order($1.key)) }
        var answers: [String] = []
        for (_, key) in due.prefix(limit) {
            let token = max(now, (self[key].started ?? .min) + 1)
            if self[key].wakeEvent != nil {
                waits[key] = waits[key]?.filter { $0.deadline.map { $0 > now } ?? true }
            }
            self[key].state = "running"
            self[key].worker = worker
            self[key].expires = timeout > 0 ? now + Int64(timeout) * 1_000_000 : nil
            self[key].started = token
            self[key].availableAt = now
            tasks[key.task].state = "running"
            tasks[key.task].firstStarted = tasks[key.task].firstStarted ?? now
            claims.append(Claim(task: key.task, run: key.run, worker: worker, token: token))
            answers.append("\(order(key).lowercased()) \(token)")
        }
        return answers.joined(separator: ",")
    }

    mutating func complete(_ claim: Claim, _ value: String) -> String {
        guard let key = held(claim) else {
            let run = tasks[claim.task].runs[claim.run]
            let isSame = run.state == "completed" && run.started == claim.token && run.worker == claim.worker
            return isSame && run.result == value ? "repeated" : verdict(claim)
        }
        self[key].state = "completed"
        self[key].completed = now
        self[key].result = value
        waits[key] = nil
        tasks[key.task].state = "completed"
        tasks[key.task].result = value
        wakeResultWaits(ended: [key.task], runs: [key])
        return "done"
    }

    mutating func fail(_ claim: Claim, _ value: String, isFinal: Bool, delay: Int?) -> String {
        guard let key = held(claim) else {
            let run = tasks[claim.task].runs[claim.run]
            let isSame = run.state == "failed" && run.started == claim.token && run.worker == claim.worker
            return isSame && run.reason == value ? "repeated" : verdict(claim)
        }
        failRun(key, reason: value, isFinal: isFinal, delay: delay)
        if tasks[key.task].hasEnded { wakeResultWaits(ended: [key.task], runs: [key]) }
        return "done"
    }

    mutating func sleep(_ claim: Claim, step: String?, seconds: Int) -> String {
        guard let key = held(claim) else { return isParked(claim) ? "repeated" : verdict(claim) }
        if let step { record(step, "0", key) }
        let wakeEvent = step == nil ? self[key].wakeEvent : nil
        park(key, state: "sleeping", until: now + Int64(seconds) * 1_000_000, wakeEvent: wakeEvent)
        return "done"
    }

    mutating func release(_ claim: Claim) -> String {
        guard let key = held(claim) else { return isParked(claim) ? "repeated" : verdict(claim) }
        park(key, state: "pending", until: now, wakeEvent: self[key].wakeEvent)
        return "done"
    }

    mutating func checkpoint(_ claim: Claim, _ step: String, _ value: String, renewal: Int?) -> String {
        guard let key = held(claim) else { return verdict(claim) }
        renew(key, by: renewal)
        guard tasks[key.task].steps[step] == nil else { return "kept" }
        record(step, value, key)
        return "stored"
    }

    mutating func renewed(_ claim: Claim, by seconds: Int?) -> String {
        guard let key = held(claim) else { return verdict(claim) }
        renew(key, by: seconds)
        return "renewed"
    }

    mutating func awaitEvent(
        _ claim: Claim, _ step: String, _ event: String, timeout: Int?, parks: Bool
    ) -> String {
        guard let key = held(claim) else { return isParked(claim) ? "parked" : verdict(claim) }
        if tasks[key.task].steps[step] != nil { return "received" }
        if parks, events[event] == nil { events[event] = .some(nil) }
        if let payload = events[event] ?? nil {
            record(step, payload, key)
            self[key].payload = nil
            return "received"
        }
        if self[key].wakeEvent == event, self[key].payload == nil {
            self[key].wakeEvent = nil
            return "timed_out"
        }
        guard parks else { return "absent" }
        let deadline = timeout.map { now + Int64($0) * 1_000_000 }
        park(key, state: "sleeping", until: deadline, wakeEvent: event)
        self[key].payload = nil
        var list = (waits[key] ?? []).filter { $0.step != step }
        list.append(Wait(step: step, event: event, deadline: deadline))
        waits[key] = list
        return "parked"
    }

    mutating func awaitTask(_ claim: Claim, _ step: String, _ child: Int, parks: Bool, poll: Int) -> String {
        guard let key = held(claim) else { return isParked(claim) ? "parked" : verdict(claim) }
        if tasks[key.task].steps[step] != nil { return "received" }
        if tasks[child].hasEnded {
            record(step, "snapshot:\(tasks[child].state)", key)
            return "received"
        }
        guard parks else { return "absent" }
        park(key, state: "sleeping", until: now + Int64(poll) * 1_000_000, wakeEvent: nil)
        resultWaits[ResultWait(child: child, run: key)] = claim.token
        return "parked"
    }
}
