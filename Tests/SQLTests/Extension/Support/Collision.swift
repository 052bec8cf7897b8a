/// How a call of ours meets a transaction of official functions that is half way.
enum Collision: Sendable {
    /// Ours does not wait.
    case none
    /// Ours waits until the transaction ends, holding nothing that the transaction goes on to lock.
    case wait
    /// Ours waits, and so does the transaction for what ours has locked by then.
    case cycle
}

extension CollidingBatch {
    /// What has to come of it for the test to be one: by what both lock, and in which order.
    func collision(with foreign: ForeignTransaction, isReversed: Bool) -> Collision {
        let (straight, reversed): (Collision, Collision) =
            switch (foreign, self) {
            case (.spawnTask, .spawn), (.spawnTask, .spawnNew): (.wait, .cycle)
            case (.spawnTask, .spawnAndClaim): (.wait, .none)
            case (_, .spawn), (_, .spawnNew), (_, .spawnAndClaim), (.spawnTask, _): (.none, .none)

            case (.completeRun, .emit), (.completeRun, .emitAndClaim), (.completeRun, .emitAndWake):
                (.none, .none)
            case (.awaitEvent, .emitAndClaim): (.none, .none)
            case (.awaitEvent, .emitAndWake), (.emitEvent, .emitAndWake): (.wait, .none)
            case (.emitEvent, .emitAndClaim), (.cancelTask, .emitAndClaim): (.none, .wait)

            case (.cancelTaskThenAwaitEvent, let batch): batch.collisionWithCancelThenAwait

            // It locks tasks before runs, and their order is the opposite.
            case (.emitEvent, .awaitTask), (.cancelTask, .awaitTask): (.cycle, .wait)
            case (.emitEvent, let batch) where ![.awaitEvent, .cancel, .emit].contains(batch): (.none, .none)
            default: (.wait, .cycle)
            }
        return isReversed ? reversed : straight
    }

    /// It holds waiting runs and goes on to events and claimed runs, or the other way round.
    private var collisionWithCancelThenAwait: (Collision, Collision) {
        switch self {
        case .cancel, .emit, .emitAndClaim, .emitAndWake: (.cycle, .wait)
        case .awaitTask: (.wait, .cycle)
        default: (.none, .wait)
        }
    }
}
