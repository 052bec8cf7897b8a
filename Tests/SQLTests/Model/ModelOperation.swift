import TestSupport

/// One call of a client or a worker, with everything it says but what only the database knows.
///
/// Numbers of tasks and claims are taken modulo how many there are, so that any part of a history is a history.
enum ModelOperation: Sendable {
    case spawn(maxAttempts: Int?, retryDelay: Int?, key: Int?)
    case emit(event: Int, value: Int)
    case cancel(task: Int)
    case retry(task: Int)
    case advance(seconds: Int)
    case claim(worker: Int, timeout: Int, limit: Int)
    case complete(claim: Int, value: Int)
    case fail(claim: Int, value: Int, isFinal: Bool, delay: Int?)
    case sleep(claim: Int, step: Int?, seconds: Int)
    case release(claim: Int)
    case checkpoint(claim: Int, step: Int, value: Int, renewal: Int?)
    case renew(claim: Int, seconds: Int?)
    case awaitEvent(claim: Int, step: Int, event: Int, timeout: Int?, parks: Bool)
    case awaitTask(claim: Int, step: Int, task: Int, parks: Bool)
}

extension SeededGenerator {
    mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func chance(_ percent: Int) -> Bool { number(100) < percent }
}

extension ModelOperation {
    /// A history of that many calls: mostly what workers do with claims, a few of which are old.
    static func history(_ count: Int, seed: UInt64) -> [ModelOperation] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in any(&random) }
    }

    private static func any(_ random: inout SeededGenerator) -> ModelOperation {
        // Counted from the newest; half of them are the last two.
        let claim = random.chance(50) ? random.number(2) : random.number(12)
        let step = random.number(3)
        let value = random.number(5)
        switch random.number(100) {
        case 0..<12:
            return .spawn(
                maxAttempts: random.chance(60) ? 1 + random.number(3) : nil,
                retryDelay: random.chance(50) ? random.number(8) : nil,
                key: random.chance(20) ? random.number(4) : nil)
        case 12..<18: return .emit(event: random.number(4), value: value)
        case 18..<21: return .cancel(task: random.number(8))
        case 21..<25: return .retry(task: random.number(8))
        case 25..<37:
            // Also back: the clocks of servers do that.
            return .advance(seconds: [-2, 1, 1, 2, 3, 4, 20, 40][random.number(8)])
        case 37..<60:
            return .claim(
                worker: random.number(2), timeout: [0, 10, 30][random.number(3)], limit: random.number(4))
        case 60..<65: return .complete(claim: claim, value: value)
        case 65..<70:
            return .fail(
                claim: claim, value: value, isFinal: random.chance(20),
                delay: random.chance(30) ? random.number(10) : nil)
        case 70..<75:
            return .sleep(claim: claim, step: random.chance(60) ? step : nil, seconds: random.number(8))
        case 75..<78: return .release(claim: claim)
        case 78..<83:
            return .checkpoint(
                claim: claim, step: step, value: value, renewal: random.chance(50) ? 30 : nil)
        case 83..<86: return .renew(claim: claim, seconds: random.chance(70) ? 5 + random.number(40) : nil)
        case 86..<94:
            return .awaitEvent(
                claim: claim, step: step, event: random.number(4),
                timeout: random.chance(60) ? random.number(10) : nil, parks: random.chance(80))
        default:
            return .awaitTask(claim: claim, step: step, task: random.number(8), parks: random.chance(80))
        }
    }
}
