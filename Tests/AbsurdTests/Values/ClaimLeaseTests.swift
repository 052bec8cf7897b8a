import Absurd
import Testing

struct ClaimLeaseTests {
    private let start = ContinuousClock.now

    @Test func `a claim lapses once, at its end`() {
        var lease = ClaimLease(seconds: 30, from: start)
        #expect(lease.nextLapse == start + .seconds(30))
        let early = lease.hasLapsed(at: start + .seconds(29))
        let atEnd = lease.hasLapsed(at: start + .seconds(30))
        let again = lease.hasLapsed(at: start + .seconds(60))
        #expect(!early && atEnd && !again)
        #expect(lease.nextLapse == nil)
    }

    @Test func `a renewal counts only when less than two thirds are left, as in the database`() {
        var lease = ClaimLease(seconds: 30, from: start)
        lease.renewed(by: 30, sentAt: start + .seconds(9))
        #expect(lease.end == start + .seconds(30))
        lease.renewed(by: 30, sentAt: start + .seconds(11))
        #expect(lease.end == start + .seconds(41))
        lease.renewed(by: 3600, sentAt: start + .seconds(12))
        #expect(lease.end == start + .seconds(3612))
        lease.renewed(by: 30, sentAt: start + .seconds(13))
        #expect(lease.end == start + .seconds(3612))
    }

    @Test func `a claim that was renewed after it had lapsed can lapse again`() {
        var lease = ClaimLease(seconds: 1, from: start)
        let first = lease.hasLapsed(at: start + .seconds(2))
        lease.renewed(by: 1, sentAt: start + .seconds(2))
        let second = lease.hasLapsed(at: start + .seconds(3))
        #expect(first && second)
    }

    @Test func `a claim without end never lapses`() {
        var lease = ClaimLease(seconds: 0, from: start)
        lease.renewed(by: 0, sentAt: start)
        lease.renewed(by: 30, sentAt: start)
        let lapsed = lease.hasLapsed(at: start + .days(400))
        #expect(lease.nextLapse == nil && !lapsed)
    }
}
