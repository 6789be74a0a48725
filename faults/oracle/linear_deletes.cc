// Keys with deletes: a depth-first search for an order of blocks, deletes and reads of "absent".
//
// A node is the set of placed items and the state they leave. An item may come next if no unplaced item must
// precede it (real time, levels) and it finds the state it needs. A read of "absent" changes nothing, so it
// is placed as soon as it may be: that never spoils an order. Dead ends are remembered by a hash of the node.
#include <algorithm>

#include "faults/oracle/linear_key.h"

namespace faults {
namespace {

uint64_t Scramble(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

constexpr uint64_t kStepsPerItem = 64;
constexpr uint64_t kLeastSteps = 200'000;

}  // namespace

void LinearKey::AddItem(Item item) {
  if (!item.optional) {
    ++unplaced_[item.low];
    ++mandatory_left_;
  }
  items_.push_back(item);
}

void LinearKey::MakeItems() {
  items_.clear();
  unplaced_.assign(cut_count_ + 1, 0);
  mandatory_left_ = 0;
  for (size_t b = 1; b < blocks_.size(); ++b) {
    const Block& block = blocks_[b];
    Item item;
    item.first_response = block.first_response;
    item.last_invoked = block.last_invoked;
    item.low = item.head = block.low;
    item.high = block.high;
    item.word = entries_[block.tail].word;
    item.update = true;
    item.needs_absent = entries_[block.head].on_absent;
    item.last_update = block.last_update;
    item.op = entries_[block.head].op;
    AddItem(item);
  }
  for (const Entry& entry : entries_) {
    if (entry.kind != Kind::kDelete) continue;
    Item item;
    item.first_response = entry.responded;
    item.last_invoked = entry.invoked;
    item.low = item.head = item.high = entry.level;
    item.update = true;
    item.optional = entry.optional;
    item.truncation = entry.truncation;
    if (entry.truncation)
      item.first_response = kNever;  // it holds nothing back: MayTruncate looks at when it responded
    else
      item.last_update = entry.invoked;
    item.op = entry.op;
    AddItem(item);
  }
  for (uint32_t r : absent_readers_) {
    Item item;
    item.op = readers_[r].op;
    item.first_response = in_->operations[item.op].responded;
    item.last_invoked = in_->operations[item.op].invoked;
    item.low = readers_[r].level;
    item.needs_absent = true;
    AddItem(item);
  }
}

// Two lists of the unplaced items, by first response and by last invocation.
void LinearKey::MakeLists() {
  order_.resize(items_.size());
  for (uint32_t i = 0; i < order_.size(); ++i) order_[i] = i;
  auto chain = [&](uint32_t* first, uint32_t Item::*next, uint32_t Item::*prev) {
    *first = order_.empty() ? kNone : order_[0];
    for (size_t i = 0; i < order_.size(); ++i) {
      items_[order_[i]].*prev = i == 0 ? kNone : order_[i - 1];
      items_[order_[i]].*next = i + 1 == order_.size() ? kNone : order_[i + 1];
    }
  };
  std::sort(order_.begin(), order_.end(),
            [&](uint32_t a, uint32_t b) { return items_[a].first_response < items_[b].first_response; });
  chain(&by_response_, &Item::by_response_next, &Item::by_response_prev);
  std::sort(order_.begin(), order_.end(),
            [&](uint32_t a, uint32_t b) { return items_[a].last_invoked < items_[b].last_invoked; });
  chain(&by_invoked_, &Item::by_invoked_next, &Item::by_invoked_prev);
}

void LinearKey::Unlink(uint32_t item) {
  const Item& it = items_[item];
  (it.by_response_prev == kNone ? by_response_ : items_[it.by_response_prev].by_response_next) =
      it.by_response_next;
  if (it.by_response_next != kNone) items_[it.by_response_next].by_response_prev = it.by_response_prev;
  (it.by_invoked_prev == kNone ? by_invoked_ : items_[it.by_invoked_prev].by_invoked_next) =
      it.by_invoked_next;
  if (it.by_invoked_next != kNone) items_[it.by_invoked_next].by_invoked_prev = it.by_invoked_prev;
}

void LinearKey::Relink(uint32_t item) {
  const Item& it = items_[item];
  (it.by_response_prev == kNone ? by_response_ : items_[it.by_response_prev].by_response_next) = item;
  if (it.by_response_next != kNone) items_[it.by_response_next].by_response_prev = item;
  (it.by_invoked_prev == kNone ? by_invoked_ : items_[it.by_invoked_prev].by_invoked_next) = item;
  if (it.by_invoked_next != kNone) items_[it.by_invoked_next].by_invoked_prev = item;
}

// No other unplaced item ended before something in this one began.
bool LinearKey::Enabled(uint32_t item) const {
  uint32_t first = by_response_;
  if (first == item) first = items_[item].by_response_next;
  return first == kNone || items_[item].last_invoked <= items_[first].first_response;
}

bool LinearKey::LevelAllows(const Item& item) const {
  for (uint32_t level = 0; level < item.high; ++level)
    if (unplaced_[level] != (item.low == level && !item.optional ? 1u : 0u)) return false;
  return true;
}

// A truncation may remove what is there now: the updates so far were invoked before its mark, and what saw
// them before its response. (A read of "absent" placed early does not count: it may as well come after.)
bool LinearKey::MayTruncate(const Item& item) const {
  const Operation& truncate = in_->operations[item.op];
  if (state_ == 0 || item.low < level_) return false;
  const Block& initial = blocks_[0];
  if (initial.last_update > truncate.mark || initial.last_invoked > truncate.responded) return false;
  for (const uint32_t placed : trail_) {
    const Item& before = items_[placed];
    if (!before.update) continue;
    if (before.last_update > truncate.mark || before.last_invoked > truncate.responded) return false;
  }
  return true;
}

// The state before the first update above a cut is the recovered one.
bool LinearKey::CutsHold(uint32_t from, uint32_t to, uint64_t state) const {
  for (uint32_t cut = from; in_->use_cuts && cut < to; ++cut)
    if (in_->cut_words[cut] != state) return false;
  return true;
}

void LinearKey::Place(uint32_t item) {
  const Item& it = items_[item];
  Unlink(item);
  trail_.push_back(item);
  hash_ ^= Scramble(item);
  if (!it.optional) {
    --unplaced_[it.low];
    --mandatory_left_;
  }
  if (!it.update) return;
  state_ = it.word;
  level_ = std::max(level_, it.high);
}

void LinearKey::UndoTo(uint32_t trail) {
  while (trail_.size() > trail) {
    const uint32_t item = trail_.back();
    trail_.pop_back();
    Relink(item);
    if (items_[item].optional) continue;
    ++unplaced_[items_[item].low];
    ++mandatory_left_;
  }
}

void LinearKey::PlaceReads() {
  if (state_ != 0) return;
  for (uint32_t item = by_invoked_; item != kNone;) {
    const uint32_t next = items_[item].by_invoked_next;
    if (by_response_ != kNone && items_[item].last_invoked > items_[by_response_].first_response &&
        !Enabled(item))
      return;
    if (!items_[item].update && Enabled(item)) {
      Place(item);
      item = by_invoked_;  // what it held back may be placed now
      continue;
    }
    item = next;
  }
}

bool LinearKey::Finished() const {
  return mandatory_left_ == 0 &&
         CutsHold(level_, static_cast<uint32_t>(in_->use_cuts ? in_->cut_words.size() : 0), state_);
}

// What was there at the start comes first. False: something must precede it.
bool LinearKey::PlaceInitial() {
  const Block& initial = blocks_[0];
  Item start;
  start.high = initial.high;
  start.low = cut_count_ + 1;  // not among the unplaced
  if (!LevelAllows(start))
    return Fail("a committed update comes after an update that is lost",
                {entries_[initial.tail].op, initial.last_op});
  if (by_response_ != kNone && items_[by_response_].first_response < initial.last_invoked)
    return Fail("real time and the words contradict each other", {items_[by_response_].op, initial.last_op});
  state_ = entries_[initial.tail].word;
  level_ = initial.high;
  hash_ = 0;
  return true;
}

// The next item to try in the frame's state, or kNone: the one whose response is due first, after those tried
// before. Operations that were in flight for long are so put off until they are needed or due; placing them
// early would be found wrong only much later.
uint32_t LinearKey::NextItem(Frame* frame) const {
  if (frame->dead) return kNone;
  uint32_t best = kNone;
  auto due = [&](uint32_t item) { return std::pair(items_[item].first_response, item); };
  for (uint32_t item = by_invoked_; item != kNone; item = items_[item].by_invoked_next) {
    const Item& it = items_[item];
    if (!Enabled(item)) {  // the item with the first response alone may still be enabled further on
      const uint32_t second = items_[by_response_].by_response_next;
      if (second == kNone || it.last_invoked > items_[second].first_response) break;
      continue;
    }
    if (!it.update || (it.needs_absent && state_ != 0)) continue;
    if (it.truncation && !MayTruncate(it)) continue;
    if (frame->tried != kNone && due(item) <= due(frame->tried)) continue;
    if (best != kNone && due(best) <= due(item)) continue;
    if (LevelAllows(it) && CutsHold(level_, it.head, state_)) best = item;
  }
  frame->tried = best;
  frame->dead = best == kNone;
  return best;
}

// For a failure: the operations at the furthest place the search came to.
void LinearKey::NoteDeepest(size_t* deepest) {
  if (trail_.size() <= *deepest) return;
  *deepest = trail_.size();
  failure_->count = 0;
  for (uint32_t i = by_invoked_; i != kNone && failure_->count < 4; i = items_[i].by_invoked_next)
    if (!items_[i].optional) failure_->ops[failure_->count++] = items_[i].op;
}

KeyResult LinearKey::SearchOrder() {
  MakeItems();
  MakeLists();
  trail_.clear();
  frames_.clear();
  dead_.Clear(static_cast<uint32_t>(items_.size()));
  if (!PlaceInitial()) return KeyResult::kIllegal;
  Fail("no order of the operations explains the results and the state",
       {by_invoked_ == kNone ? kNone : items_[by_invoked_].op});
  uint64_t steps = std::max(kLeastSteps, kStepsPerItem * items_.size());
  size_t deepest = 0;
  while (true) {
    PlaceReads();  // a new node
    if (Finished()) return KeyResult::kLegal;
    if (steps-- == 0) return KeyResult::kUndecided;
    const bool dead = dead_.Insert(hash_ ^ Scramble(~state_), 0) != WordTable::kNone;
    frames_.push_back(Frame{static_cast<uint32_t>(trail_.size()), kNone, dead, state_, hash_, level_});
    NoteDeepest(&deepest);
    uint32_t item = NextItem(&frames_.back());
    while (item == kNone) {  // back to a node with something left to try
      frames_.pop_back();
      if (frames_.empty()) return KeyResult::kIllegal;
      Frame& frame = frames_.back();
      UndoTo(frame.trail);
      state_ = frame.state;
      hash_ = frame.hash;
      level_ = frame.level;
      item = NextItem(&frame);
    }
    Place(item);
  }
}

}  // namespace faults
