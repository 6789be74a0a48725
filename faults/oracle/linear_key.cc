#include "faults/oracle/linear_key.h"

#include <algorithm>
#include <tuple>

#include "faults/oracle/words.h"

namespace faults {

namespace {
constexpr uint32_t kDecodeBudget =
    300'000;  // words taken apart per key (5 ms); 8 unknown RMWs need at most 110,000
constexpr uint64_t kUnseenWord = 0xd6e8feb86659fd93ull;  // stands for a word that nobody saw
}  // namespace

KeyResult LinearKey::Check(const KeyInput& input, KeyFailure* failure) {
  in_ = &input;
  failure_ = failure;
  *failure = KeyFailure{};
  cut_count_ = input.use_levels ? static_cast<uint32_t>(input.cut_words.size()) : 0;
  undecided_ = false;
  decode_budget_ = kDecodeBudget;
  bool legal = Collect() && LinkRmws() && LinkReaders() && LinkCuts() && BuildBlocks();
  if (legal && !undecided_) {
    if (deletes_) return SearchOrder();
    legal = CheckSorted();
  }
  if (undecided_) return KeyResult::kUndecided;
  return legal ? KeyResult::kLegal : KeyResult::kIllegal;
}

bool LinearKey::Fail(const char* why, std::initializer_list<uint32_t> ops) {
  failure_->why = why;
  failure_->count = 0;
  for (uint32_t op : ops) {
    if (op == kNone || failure_->count == 5) continue;
    bool seen = false;
    for (uint32_t i = 0; i < failure_->count; ++i) seen |= failure_->ops[i] == op;
    if (!seen) failure_->ops[failure_->count++] = op;
  }
  return false;
}

bool LinearKey::Orphan(const char* why, uint64_t word, uint32_t op) {
  orphans_.push_back(word);
  return Fail(why, {op});
}

// Entries, readers, and the table from words to the updates that wrote them. Entry 0 is what was there.
bool LinearKey::Collect() {
  entries_.clear();
  readers_.clear();
  absent_readers_.clear();
  untold_.clear();
  orphans_.clear();
  deletes_ = false;
  producers_.Clear(static_cast<uint32_t>(in_->ops.size()) + 1);
  Entry initial;
  initial.word = in_->base;
  initial.head = true;
  entries_.push_back(initial);
  for (size_t i = 0; i < in_->ops.size(); ++i) {
    const Operation& op = in_->operations[in_->ops[i]];
    if (op.outcome == OpOutcome::kError) continue;
    const uint32_t level = in_->use_levels ? in_->levels[i] : 0;
    const bool nothing_found = op.outcome == OpOutcome::kFail;
    if (op.type == OpType::kInsert && nothing_found) {  // refused: a read of what was there
      if (op.result != 0) readers_.push_back(Reader{in_->ops[i], level, op.result, kNone});
      continue;
    }
    if (op.type == OpType::kRead || (op.type == OpType::kDelete && nothing_found)) {
      if (op.outcome == OpOutcome::kUnknown) continue;
      if (!nothing_found && op.result == 0)
        return Fail("a read found the word 0, which nobody writes", {in_->ops[i]});
      readers_.push_back(Reader{in_->ops[i], level, nothing_found ? 0 : op.result, kNone});
    } else if (!nothing_found) {
      AddUpdate(op, in_->ops[i], level);
    }
  }
  AddTruncations();
  if (!deletes_ || in_->base != 0) producers_.Insert(in_->base, 0);
  for (uint32_t e = 1; e < entries_.size(); ++e) {
    const Entry& entry = entries_[e];
    if (entry.kind == Kind::kUntold || entry.kind == Kind::kDelete) continue;
    if (entry.word == kUnseenWord) undecided_ = true;
    if (producers_.Insert(entry.word, e) != WordTable::kNone) undecided_ = true;  // words are not unique
  }
  return true;
}

// Nothing to remove, nothing to add: a key that never was there stays as simple as it is.
void LinearKey::AddTruncations() {
  if (in_->base == 0 && entries_.size() == 1) return;
  for (size_t i = 0; i < in_->truncates.size(); ++i) {
    const Operation& op = in_->operations[in_->truncates[i]];
    Entry entry;
    entry.op = in_->truncates[i];
    entry.level = in_->use_levels ? in_->truncate_levels[i] : 0;
    entry.invoked = op.invoked;
    entry.responded = op.responded;
    entry.kind = Kind::kDelete;
    entry.optional = entry.truncation = true;
    entries_.push_back(entry);
    deletes_ = true;
  }
}

void LinearKey::AddUpdate(const Operation& op, uint32_t index, uint32_t level) {
  Entry entry;
  entry.op = index;
  entry.level = level;
  entry.invoked = op.invoked;
  entry.responded = op.responded;
  // What no cut holds may have had no effect, and an insert may always have been refused.
  entry.optional = op.outcome == OpOutcome::kUnknown &&
                   (!in_->use_levels || level == cut_count_ || op.type == OpType::kInsert);
  if (op.type == OpType::kUpsert) {
    entry.kind = Kind::kBlind;
    entry.word = op.operand;
  } else if (op.type == OpType::kInsert) {
    entry.kind = Kind::kInsert;
    entry.word = op.operand;
  } else if (op.type == OpType::kDelete) {
    entry.kind = Kind::kDelete;
    deletes_ = true;
  } else if (op.outcome == OpOutcome::kOk && op.result != 0) {
    entry.kind = Kind::kRmw;
    entry.word = op.result;
  } else {
    entry.kind = Kind::kUntold;
    untold_.push_back(static_cast<uint32_t>(entries_.size()));
  }
  entries_.push_back(entry);
}

// The update that wrote `word`; decodes it through RMWs without a result if need be. kNone: nobody.
uint32_t LinearKey::Producer(uint64_t word) {
  uint32_t entry = producers_.Find(word);
  // Chains of few are tried first: they are the likely ones, and n operands have n! chains of n.
  for (uint32_t depth = 1; entry == kNone && depth <= untold_.size() && !undecided_; ++depth)
    entry = Decode(word, depth);
  if (entry != kNone && entries_[entry].optional) {
    entries_[entry].optional = false;  // somebody saw it: it took effect
    if (entries_[entry].kind == Kind::kInsert && !Link(entry, 0)) return kNone;
  }
  return entry;
}

// `word` as the result of at most `depth` RMWs whose results nobody told, started from a word that somebody
// wrote.
uint32_t LinearKey::Decode(uint64_t word, uint32_t depth) {
  for (uint32_t u : untold_) {
    if (entries_[u].kind != Kind::kUntold) continue;  // decoded already
    if (decode_budget_ == 0) {
      undecided_ = true;
      return kNone;
    }
    --decode_budget_;
    const uint64_t old_word = UndoRmwWord(word, in_->operations[entries_[u].op].operand);
    entries_[u].kind = Kind::kRmw;  // taken while the rest is looked for
    uint32_t from = old_word == 0 && deletes_ ? 0 : producers_.Find(old_word);
    if (from == WordTable::kNone && depth > 1) from = Decode(old_word, depth - 1);
    if (from == kNone) {
      entries_[u].kind = Kind::kUntold;
      continue;
    }
    for (uint32_t other : untold_)  // two unknown RMWs with one operand: the word does not say which
      if (other != u &&
          in_->operations[entries_[other].op].operand == in_->operations[entries_[u].op].operand)
        undecided_ = true;
    entries_[u].word = word;
    entries_[u].optional = false;
    producers_.Insert(word, u);
    return Link(u, old_word) ? u : kNone;
  }
  return kNone;
}

// `consumer` is an RMW that started from `old_word`.
bool LinearKey::Link(uint32_t consumer, uint64_t old_word) {
  Entry& entry = entries_[consumer];
  if (old_word == 0 && deletes_) {
    entry.on_absent = entry.head = true;
    return true;
  }
  const uint32_t from = Producer(old_word);
  if (from == kNone) return Orphan("an RMW started from a word that nobody had written", old_word, entry.op);
  const uint32_t rival = entries_[from].next;
  if (rival != kNone && rival != consumer)
    return Fail("two RMWs started from the same word: one update is lost",
                {entries_[rival].op, entry.op, entries_[from].op});
  entries_[from].next = consumer;
  return true;
}

bool LinearKey::LinkRmws() {
  bool linked = true;
  for (uint32_t e = 1; e < entries_.size(); ++e) {
    Entry& entry = entries_[e];
    if (entry.kind == Kind::kBlind || entry.kind == Kind::kDelete) entry.head = true;
    if (entry.kind == Kind::kInsert && !entry.optional && !Link(e, 0)) return false;
    if (entry.kind != Kind::kRmw) continue;
    const Operation& op = in_->operations[entry.op];
    if (op.outcome != OpOutcome::kOk || op.result == 0) continue;  // decoded, linked by Decode
    const uint64_t old_word = UndoRmwWord(entry.word, op.operand);
    if (RmwWord(old_word, op.operand) != entry.word)
      return Fail("an RMW left a word that it cannot leave", {entry.op});
    if (!Link(e, old_word)) linked = false;
    if (!linked && orphans_.empty()) return false;
  }
  return linked;
}

bool LinearKey::LinkReaders() {
  bool linked = true;
  for (uint32_t r = 0; r < readers_.size(); ++r) {
    Reader& reader = readers_[r];
    if (reader.word == 0 && deletes_) {
      absent_readers_.push_back(r);
      continue;
    }
    const uint32_t from = Producer(reader.word);
    if (from == kNone) {
      orphans_.push_back(reader.word);
      linked = Fail(reader.word == 0 ? "nothing was found where something was, and nobody deleted it"
                                     : "a read found a word that nobody had written",
                    {reader.op});
      continue;
    }
    reader.next = entries_[from].readers;
    entries_[from].readers = r;
  }
  return linked;
}

bool LinearKey::LinkCuts() {
  if (!in_->use_cuts) return true;
  for (uint64_t word : in_->cut_words) {
    if (word == 0 && deletes_) continue;
    const uint32_t from = Producer(word);
    if (from != kNone) continue;
    for (const Entry& entry : entries_)  // for the witness: something that should be there
      if (entry.op != kNone && !entry.optional && entry.level < cut_count_ && word == 0)
        return Fail("the key is missing from the recovered state", {entry.op});
    return Orphan(word == 0 ? "the key is missing from the recovered state"
                            : "the recovered word is not the result of any updates of this history",
                  word, kNone);
  }
  return true;
}

void LinearKey::Extend(Block* block, uint32_t op) const {
  const Operation& operation = in_->operations[op];
  if (operation.responded < block->first_response) {
    block->first_response = operation.responded;
    block->first_op = op;
  }
  if (operation.invoked >= block->last_invoked) {
    block->last_invoked = operation.invoked;
    block->last_op = op;
  }
}

bool LinearKey::BuildBlocks() {
  blocks_.clear();
  if (undecided_) return true;
  for (uint32_t u : untold_)  // nobody saw its word: in or out, it can only be a blind write
    if (entries_[u].kind == Kind::kUntold) {
      entries_[u].head = true;
      entries_[u].word = kUnseenWord;
    }
  for (uint32_t e = 0; e < entries_.size(); ++e)
    if (entries_[e].head && !entries_[e].optional && entries_[e].kind != Kind::kDelete && !Walk(e))
      return false;
  for (const Entry& entry : entries_)
    if (!entry.walked && !entry.optional && entry.kind != Kind::kDelete)
      return Fail("RMWs started from each other's words", {entry.op});
  return true;
}

// Between two updates of a block: levels do not fall (R3), and a cut between them has this very word (R4).
bool LinearKey::CheckJump(uint32_t entry, uint32_t next) {
  const Entry& one = entries_[entry];
  const Entry& two = entries_[next];
  if (two.level < one.level)
    return Fail("a committed RMW consumed the word of an update that is lost", {one.op, two.op});
  for (uint32_t cut = one.level; in_->use_cuts && cut < two.level; ++cut)
    if (in_->cut_words[cut] != one.word)
      return Fail("the recovered word is not that of the last committed update", {one.op, two.op});
  return true;
}

// Makes one block and checks the order inside of it, which the words dictate.
bool LinearKey::Walk(uint32_t head) {
  Block block;
  block.head = head;
  block.low = entries_[head].level;
  uint64_t latest = 0;  // invocation among everything before
  uint32_t latest_op = kNone;
  auto in_time = [&](uint32_t op) {
    return in_->operations[op].responded >= latest ||
           Fail("an operation saw a word that came to be only after it had ended", {latest_op, op});
  };
  auto pass = [&](uint32_t op) {
    if (in_->operations[op].invoked <= latest) return;
    latest = in_->operations[op].invoked;
    latest_op = op;
  };
  for (uint32_t e = head; e != kNone; e = entries_[e].next) {
    Entry& entry = entries_[e];
    entry.walked = true;
    block.tail = e;
    block.high = entry.level;
    if (entry.op != kNone) {
      if (!in_time(entry.op)) return false;
      pass(entry.op);
      Extend(&block, entry.op);
      block.last_update = std::max(block.last_update, entry.invoked);
    }
    for (uint32_t r = entry.readers; r != kNone; r = readers_[r].next) {
      if (!in_time(readers_[r].op)) return false;
      if (readers_[r].level < entry.level)
        return Fail("a committed read saw the word of an update that is lost", {entry.op, readers_[r].op});
      Extend(&block, readers_[r].op);
    }
    for (uint32_t r = entry.readers; r != kNone; r = readers_[r].next) pass(readers_[r].op);
    if (entry.next != kNone && !CheckJump(e, entry.next)) return false;
  }
  blocks_.push_back(block);
  return true;
}

// Without deletes: sort the blocks into the only order that can be legal, and verify it.
bool LinearKey::CheckSorted() {
  for (size_t cut = 0; in_->use_cuts && cut < in_->cut_words.size(); ++cut) {
    const uint32_t last = producers_.Find(in_->cut_words[cut]);
    for (Block& block : blocks_) {
      if (block.high > cut) continue;
      for (uint32_t e = block.head; e != kNone; e = entries_[e].next) block.last |= e == last;
    }
  }
  std::sort(blocks_.begin() + 1, blocks_.end(), [](const Block& x, const Block& y) {
    return std::tuple(x.low, x.high, x.last, x.Place(), x.last_invoked) <
           std::tuple(y.low, y.high, y.last, y.Place(), y.last_invoked);
  });
  const Block* latest = &blocks_[0];  // the largest last_invoked so far
  for (size_t i = 1; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    const Block& before = blocks_[i - 1];
    if (block.low < before.high)
      return Fail("a committed update comes after an update that is lost",
                  {entries_[before.tail].op, entries_[block.head].op, before.first_op, before.last_op});
    for (uint32_t cut = before.high; in_->use_cuts && cut < block.low; ++cut)
      if (in_->cut_words[cut] != entries_[before.tail].word)
        return Fail("the recovered word is not that of the last committed update",
                    {entries_[before.tail].op, entries_[block.head].op, before.last_op});
    if (block.first_response < latest->last_invoked)
      return Fail("real time and the words contradict each other",
                  {entries_[block.head].op, block.first_op, entries_[latest->head].op, latest->last_op});
    if (block.last_invoked > latest->last_invoked) latest = &block;
  }
  const Block& end = blocks_.back();
  for (size_t cut = end.high; in_->use_cuts && cut < in_->cut_words.size(); ++cut)
    if (in_->cut_words[cut] != entries_[end.tail].word)
      return Fail("the recovered word is not that of the last committed update",
                  {entries_[end.tail].op, end.last_op});
  return true;
}

}  // namespace faults
