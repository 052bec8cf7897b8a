import Absurd
import LibPQ
import Testing

struct ClaimDoubtTests {
    private let start = ContinuousClock.now

    @Test func `strays are looked for at once and again until the lost statement can no longer run`() {
        var doubt = ClaimDoubt()
        #expect(!doubt.isDue(at: start))
        doubt.answerLost(at: start, limit: .seconds(30))
        var looks: [Duration] = []
        while let look = doubt.nextLook {
            #expect(doubt.isDue(at: look) && !doubt.isDue(at: look - .milliseconds(1)))
            looks.append(look - start)
            doubt.looked(at: look)
        }
        #expect(looks == [0, 1, 3, 7, 15, 31].map { .seconds($0) })
    }

    @Test func `another loss begins anew and never ends earlier`() {
        var doubt = ClaimDoubt()
        doubt.answerLost(at: start, limit: .seconds(30))
        doubt.looked(at: start + .seconds(20))
        doubt.answerLost(at: start + .seconds(25), limit: .seconds(1))
        #expect(doubt.nextLook == start + .seconds(25))
        doubt.looked(at: start + .seconds(30))
        #expect(doubt.nextLook == start + .seconds(31))
        doubt.looked(at: start + .seconds(31))
        #expect(!doubt.isOpen)
    }

    @Test func `a look that was not answered is made again, also the last`() {
        var doubt = ClaimDoubt()
        doubt.lookFailed(at: start)
        #expect(!doubt.isOpen)
        doubt.answerLost(at: start, limit: .seconds(30))
        doubt.lookFailed(at: start + .seconds(60))
        #expect(doubt.nextLook == start + .seconds(61))
        doubt.looked(at: start + .seconds(61))
        #expect(!doubt.isOpen)
    }

    @Test func `only errors that leave it open make doubts`() {
        #expect(PostgresError(.connectionLost, "").leavesOutcomeOpen)
        #expect(PostgresError(.timedOut, "").leavesOutcomeOpen)
        #expect(!PostgresError(.connectionFailed, "").leavesOutcomeOpen)
        var answered = PostgresError(.server, "")
        answered.sqlState = "55P03"
        #expect(!answered.leavesOutcomeOpen)
        answered.sqlState = "57P01"
        #expect(answered.leavesOutcomeOpen)
        answered.code = .timedOut
        answered.sqlState = "57014"
        #expect(!answered.leavesOutcomeOpen)
    }

    @Test func `nothing is looked for while a statement claims beside, and none does while there is doubt`() {
        var doubt = ClaimDoubt()
        let now = ContinuousClock.now
        let mayStart1 = doubt.startClaimingBeside()
        #expect(mayStart1)
        let mayStart2 = doubt.startClaimingBeside()
        #expect(mayStart2)
        doubt.answerLost(at: now, limit: .seconds(1))
        let mayStart3 = doubt.startClaimingBeside()
        #expect(!mayStart3)
        #expect(!doubt.isDue(at: now))
        doubt.claimedBeside()
        #expect(!doubt.isDue(at: now))
        doubt.claimedBeside()
        #expect(doubt.isDue(at: now))
        let mayStart4 = doubt.startClaimingBeside()
        #expect(!mayStart4)
        doubt.looked(at: now + .seconds(2))
        #expect(!doubt.isOpen)
        let mayStart5 = doubt.startClaimingBeside()
        #expect(mayStart5)
        doubt.close()
        doubt.answerLost(at: now, limit: .seconds(1))
        #expect(!doubt.isDue(at: now))
    }
}
