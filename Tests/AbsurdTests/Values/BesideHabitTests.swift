import Absurd
import Testing

struct BesideHabitTests {
    @Test
    func
        `what comes to nothing again and again is tried ever more seldom, and all the time once it came to something`()
    {
        var habit = BesideHabit()
        var tries = 0
        for _ in 0..<1000 where habit.isWorthTrying() {
            tries += 1
            habit.answered(isEmpty: true)
        }
        #expect((10..<30).contains(tries))
        while !habit.isWorthTrying() {}
        habit.answered(isEmpty: false)
        for _ in 0..<3 {
            let isWorthTrying = habit.isWorthTrying()
            #expect(isWorthTrying)
            habit.answered(isEmpty: true)
        }
        let isWorthTrying = habit.isWorthTrying()
        #expect(!isWorthTrying)
    }

    @Test func `each refusal of the server is one way less`() {
        var habit = BesideHabit()
        for (refused, next) in [
            (BesideManner.ownFunction, BesideManner.schemaFunction), (.ownFunction, .schemaFunction),
            (.schemaFunction, .never), (.schemaFunction, .never),
        ] {
            habit.refused(refused)
            #expect(habit.manner == next)
        }
        let isWorthTrying = habit.isWorthTrying()
        #expect(!isWorthTrying)
    }
}
