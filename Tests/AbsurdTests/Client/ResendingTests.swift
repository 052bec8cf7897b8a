import Absurd
import LibPQ
import Testing

struct ResendingTests {
    private func attempts(
        _ errors: [PostgresError], isCancellable: Bool
    ) async -> (count: Int, error: PostgresError?) {
        var count = 0
        do {
            try await resendingAfterLoss(attempts: errors.count, isCancellable: isCancellable) {
                defer { count += 1 }
                throw errors[count]
            }
            return (count, nil)
        } catch {
            return (count, error as? PostgresError)
        }
    }

    private let lost = PostgresError(.connectionLost, "lost")

    @Test func `who sends for others pauses between attempts although it is cancelled`() async {
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask {
                let start = ContinuousClock.now
                let result = await attempts(Array(repeating: lost, count: 4), isCancellable: false)
                #expect(result.count == 4)
                // Half of 5, 10 and 20 ms at least.
                #expect(ContinuousClock.now - start >= .milliseconds(17))
            }
        }
    }

    @Test func `what may have taken effect is not reported as never sent`() async {
        let result = await attempts(
            [lost, PostgresError(.poolTimedOut, "no connection")], isCancellable: true)
        #expect(result.count == 2)
        #expect(result.error?.code == .connectionLost)
        let never = await attempts([PostgresError(.poolTimedOut, "no connection")], isCancellable: true)
        #expect(never.error?.code == .poolTimedOut)
    }

    @Test func `a conflict of locks is left to the caller`() async {
        var conflict = PostgresError(.server, "lock timeout")
        conflict.sqlState = "55P03"
        let result = await attempts([conflict, lost], isCancellable: true)
        #expect(result.count == 1)
        #expect(result.error?.sqlState == "55P03")
    }
}
