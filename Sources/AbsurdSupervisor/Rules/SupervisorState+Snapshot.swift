extension SupervisorState {
    var snapshot: [ChildStatus] {
        children.enumerated().map { number, child in
            // Where there are two, the one that works, and of those the one that stays.
            let staying = child.processes.filter { $0.stop == nil }
            let process = staying.last { $0.processID != nil } ?? staying.last ?? child.processes.last
            let state: ChildStatus.State =
                switch process {
                case nil: child.isFinished ? .finished : .waiting
                case let process? where process.stop != nil: .stopping
                case let process?: process.processID == nil ? .starting : .running
                }
            return ChildStatus(
                child: number, state: state, processID: process?.processID, restarts: child.restarts,
                since: process?.startedAt, lastEnd: child.lastEnd)
        }
    }
}
