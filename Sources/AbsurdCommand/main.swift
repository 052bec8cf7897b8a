print("absurd")
