import Absurd
import Testing

/// Which rows leave together, without I/O.
struct BatchQueueTests {
    private typealias Queue = BatchQueue<String, Int>

    private func queue(rows: Int = 3, bytes: Int = 10, statements: Int = 1) -> Queue {
        Queue(limits: BatchLimits(rows: rows, bytes: bytes, statements: statements))
    }

    @Test func `a row that finds nothing under way leaves at once`() {
        var queue = queue()
        let answer1 = queue.startIfIdle()
        #expect(answer1)
        let answer2 = queue.sent()
        #expect(answer2 == nil)
        let answer3 = queue.startIfIdle()
        #expect(answer3)
    }

    @Test func `what gathers while a statement is under way leaves with the next, in order`() {
        var queue = queue()
        let answer4 = queue.startIfIdle()
        #expect(answer4)
        let answer5 = queue.startIfIdle()
        #expect(!answer5)
        for (index, row) in ["a", "b", "c", "d"].enumerated() { queue.join(row, bytes: 1, ticket: index) }
        let leader = queue.sent()
        #expect(leader?.ticket == 0)
        let answer6 = queue.takeMore(bytes: 1)
        #expect(answer6.map(\.row) == ["b", "c"])
        let second = queue.sent()
        #expect(second?.row == "d")
        let answer7 = queue.takeMore(bytes: 1)
        #expect(answer7.isEmpty)
        let answer8 = queue.sent()
        #expect(answer8 == nil)
    }

    @Test func `a statement is bounded in bytes, and a row beyond the bound goes alone`() {
        var queue = queue(rows: 100, bytes: 10)
        let answer9 = queue.startIfIdle()
        #expect(answer9)
        for (row, bytes) in [("large", 50), ("a", 4), ("b", 6), ("c", 1)] {
            queue.join(row, bytes: bytes, ticket: bytes)
        }
        let answer10 = queue.sent()
        #expect(answer10?.row == "large")
        let answer11 = queue.takeMore(bytes: 50)
        #expect(answer11.isEmpty)
        let answer12 = queue.sent()
        #expect(answer12?.row == "a")
        let answer13 = queue.takeMore(bytes: 4)
        #expect(answer13.map(\.row) == ["b"])
        let answer14 = queue.sent()
        #expect(answer14?.row == "c")
    }

    @Test func `nobody overtakes those who wait`() {
        var queue = queue(statements: 2)
        let answer15 = queue.startIfIdle()
        #expect(answer15)
        let answer16 = queue.startIfIdle()
        #expect(answer16)
        queue.join("waiting", bytes: 1, ticket: 0)
        let next = queue.sent()
        #expect(next?.row == "waiting")
        queue.join("later", bytes: 1, ticket: 1)
        let answer17 = queue.startIfIdle()
        #expect(!answer17)
    }

    @Test func `a row that is withdrawn neither leaves nor counts, and the others keep their order`() {
        var queue = queue(rows: 100, bytes: 100)
        let mayStart = queue.startIfIdle()
        #expect(mayStart)
        let numbers = (0..<10).map { queue.join(String($0), bytes: 1, ticket: $0) }
        for index in [0, 4, 5, 9] { queue.withdraw(numbers[index]) }
        queue.withdraw(numbers[4])
        #expect(queue.pendingCount == 6)
        let leader = queue.sent()
        #expect(leader?.row == "1")
        // It has left, so nothing else may go in its place.
        queue.withdraw(numbers[1])
        let others = queue.takeMore(bytes: 1)
        #expect(others.map(\.row) == ["2", "3", "6", "7", "8"])
        #expect(queue.pendingCount == 0)
        let last = queue.sent()
        #expect(last == nil)
        let mayStartAgain = queue.startIfIdle()
        #expect(mayStartAgain)
    }

    @Test func `those that are withdrawn leave no places behind, whoever stays`() {
        var queue = queue(rows: 3, bytes: 10)
        let mayStart = queue.startIfIdle()
        #expect(mayStart)
        queue.join("first", bytes: 1, ticket: -1)
        for round in 0..<1000 {
            queue.withdraw(queue.join("gone", bytes: 1, ticket: round))
            #expect(queue.pendingCount == 1)
        }
        #expect(queue.placeCount <= 2)
        queue.join("last", bytes: 1, ticket: -2)
        let leader = queue.sent()
        let others = queue.takeMore(bytes: 1)
        #expect(leader?.row == "first")
        #expect(others.map(\.row) == ["last"])
    }
}
