extension FinishWrite: LaneWrite {
    package var byteCount: Int {
        let payload: Int
        switch action {
        case .complete(let result): payload = result.byteCount
        case .fail(let reason, _): payload = reason.byteCount
        case .sleep(_, let checkpoint?): payload = checkpoint.state.byteCount + checkpoint.step.utf8.count
        case .sleep, .release: payload = 0
        }
        return payload + rowOverhead
    }
}

extension CheckpointWrite: LaneWrite {
    package var byteCount: Int { state.byteCount + step.utf8.count + rowOverhead }
}

extension RenewWrite: LaneWrite {
    package var byteCount: Int { rowOverhead }
}

extension EventWait: LaneWrite {
    package var byteCount: Int { step.utf8.count + event.utf8.count + rowOverhead }
}

extension TaskWait: LaneWrite {
    package var byteCount: Int { step.utf8.count + queue.utf8.count + rowOverhead }
}

extension JSONText {
    package var byteCount: Int { text.utf8.count }
}

/// Ids, token and lengths.
private let rowOverhead = 64

extension FinishAnswer: LaneAnswer {
    package var refusal: Refusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}

extension CheckpointAnswer: LaneAnswer {
    package var refusal: Refusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}

extension RenewAnswer: LaneAnswer {
    package var refusal: Refusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}

extension WaitAnswer: LaneAnswer {
    package var refusal: Refusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}
