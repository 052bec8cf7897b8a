import Absurd
import Testing

struct BesideHabitTests {
    @Test
    func
        `what comes to nothing again and again is tried ever more seldom, and all the time once it came to something`()
    {
        var habit = BesideHabit()
        var tries = 0
        for _ in 0..<1000 where habit.isWorthTrying(.spawn) {
            tries += 1
            habit.answered(.spawn, isEmpty: true)
        }
        #expect((10..<30).contains(tries))
        let mayEmit = habit.isWorthTrying(.emission)
        #expect(mayEmit)
        while !habit.isWorthTrying(.spawn) {}
        habit.answered(.spawn, isEmpty: false)
        for _ in 0..<3 {
            let isWorthTrying = habit.isWorthTrying(.spawn)
            #expect(isWorthTrying)
            habit.answered(.spawn, isEmpty: true)
        }
        let isWorthTrying = habit.isWorthTrying(.spawn)
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
        let isWorthTrying = habit.isWorthTrying(.spawn)
        #expect(!isWorthTrying)
    }
}
