public import Contract

/// Who owns which shard: rendezvous hashing. Pure, so that every instance computes the same from the same members.
/// Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996).
public enum Rendezvous {
    /// The member with the highest weight for `shard`; nil without members. Order and repetition of `members` do not matter.
    public static func owner(of shard: Shard, among members: some Sequence<String>) -> String? {
        var best: (weight: UInt64, member: String)?
        for member in members {
            let candidate = (weight: weight(member, shard), member: member)
            if let current = best, (current.weight, current.member) >= candidate { continue }
            best = candidate
        }
        return best?.member
    }

    /// The shards of `member`.
    public static func shards(of member: String, among members: Set<String>) -> Set<Shard> {
        Set(Shard.all.filter { owner(of: $0, among: members) == member })
    }

    private static func weight(_ member: String, _ shard: Shard) -> UInt64 {
        // FNV alone leaves similar names similar; the finalizer of splitmix64 spreads them.
        var hash = fnv1a(Array(member.utf8) + [0, UInt8(shard.number)])
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return hash ^ (hash >> 31)
    }
}
