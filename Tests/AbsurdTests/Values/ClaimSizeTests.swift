import Absurd
import LibPQ
import Testing

struct ClaimSizeTests {
    @Test func `runs of ordinary size are claimed without bound`() {
        var size = ClaimSize()
        #expect(size.limit == .max)
        size.claimed(count: 0, bytes: 0)
        #expect(size.limit == .max)
        size.claimed(count: 500, bytes: 500 * 1000)
        #expect(size.limit >= 30_000)
    }

    @Test func `large runs are claimed in answers of bounded bytes, one at least`() {
        var size = ClaimSize()
        size.claimed(count: 4, bytes: 16 << 20)
        #expect(size.limit == 8)
        size.claimed(count: 1, bytes: 200 << 20)
        #expect(size.limit == 1)
        for _ in 0..<70 { size.claimed(count: 1, bytes: 100) }
        #expect(size.limit > 10_000)
    }

    @Test func `a claim that took too long is followed by one of half the size`() {
        var size = ClaimSize()
        size.failed(PostgresError(.connectionLost, ""), limit: 500)
        #expect(size.limit == .max)
        size.failed(PostgresError(.timedOut, ""), limit: 500)
        #expect(size.limit == 250)
        size.failed(PostgresError(.timedOut, ""), limit: 1)
        #expect(size.limit == 1)
        size.claimed(count: 1, bytes: 10)
        #expect(size.limit == 2)
        var memory = PostgresError(.server, "")
        memory.sqlState = "53200"
        size.failed(memory, limit: 100)
        #expect(size.limit == 50)
    }
}
